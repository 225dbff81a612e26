package inventory

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		m := mac(t, "0004f2000001")
		full := phone.Event{
			At: at, Kind: phone.EventFile, MAC: m, DeviceID: "phone_a", Proto: "tftp", Path: "/0004f2000001.cfg",
			Outcome: "ok", Status: 200, Bytes: 1 << 40, Millis: 12, Revision: 3, UserAgent: "ua\x00\xff", Source: "192.0.2.1", Detail: "ü",
		}
		byMAC := phone.Event{At: at.Add(2 * time.Second), Kind: phone.EventDHCP, MAC: m, Outcome: "ok"}
		byID := phone.Event{At: at.Add(time.Second), Kind: phone.EventAdmin, DeviceID: "phone_a", Outcome: "ok"}
		other := phone.Event{At: at, Kind: phone.EventDHCP, Outcome: "ok"}
		for range 20 {
			s.Record(other)
		}
		for _, e := range []phone.Event{full, byMAC, byID} {
			s.Record(e)
		}
		full.UserAgent = "ua??"
		noID := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "ID" }, cmp.Ignore())
		for name, c := range map[string]struct {
			id   string
			mac  phone.MAC
			n    int
			want []phone.Event
		}{
			"by both":  {"phone_a", m, 50, []phone.Event{byMAC, byID, full}},
			"by mac":   {"", m, 50, []phone.Event{byMAC, full}},
			"by id":    {"phone_a", phone.MAC{}, 50, []phone.Event{byID, full}},
			"newest":   {"phone_a", m, 1, []phone.Event{byMAC}},
			"by none":  {"", phone.MAC{}, 50, nil},
			"a device": {"phone_b", mac(t, "0004f2000002"), 50, nil},
		} {
			got := must[[]phone.Event](t)(s.Events(t.Context(), c.id, c.mac, c.n))
			if diff := cmp.Diff(c.want, got, noID); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

// Equal fetches that wait together are one row, which counts them and is as new as
// the last; what differs in anything but time and port is a row of its own.
func TestEqualFetchesAreOneEvent(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		m := mac(t, "0004f2000001")
		get := phone.Event{Kind: phone.EventFile, MAC: m, Path: "/a.cfg", Outcome: "ok", Status: 200, Bytes: 9, Source: "192.0.2.1:1024"}
		other := get
		other.Source = "192.0.2.2:1024"
		options := get
		options.Kind = phone.EventDHCP // never one
		in, out, done := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			done <- s.write(context.Background(), func(*unit) error { close(in); <-out; return nil })
		}()
		<-in // nothing is written before all are recorded
		for i, e := range []phone.Event{get, options, get, other, options, get} {
			e.At, e.Source = at.Add(time.Duration(i)*time.Millisecond), strings.Replace(e.Source, "1024", strconv.Itoa(1024+i), 1)
			s.Record(e)
		}
		close(out)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		got := must[[]phone.Event](t)(s.Events(t.Context(), "", m, 50))
		type line struct {
			after  time.Duration
			source string
			count  int64
		}
		var lines []line
		for _, e := range got {
			lines = append(lines, line{e.At.Sub(at), e.Source, e.Count})
		}
		want := []line{
			{5 * time.Millisecond, "192.0.2.1:1029", 3},
			{4 * time.Millisecond, "192.0.2.1:1028", 0},
			{3 * time.Millisecond, "192.0.2.2:1027", 0},
			{1 * time.Millisecond, "192.0.2.1:1025", 0},
		}
		if !slices.Equal(lines, want) {
			t.Errorf("the timeline is %v, want %v", lines, want)
		}
	})
}

// A timeline keeps its newest events, also over a restart, and leaves others alone.
func TestEventsArePruned(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		noisy, quiet := mac(t, "0004f2000001"), mac(t, "0004f2000002")
		at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		s := d.open(t)
		s.Record(phone.Event{At: at, MAC: quiet, Kind: phone.EventDHCP})
		const n = 3000
		for i := range n {
			s.Record(phone.Event{At: at.Add(time.Duration(i) * time.Second), MAC: noisy, Kind: phone.EventFile, Bytes: int64(i)})
		}
		if err := s.Close(); err != nil { // which writes what is queued
			t.Fatal(err)
		}
		s = d.open(t)
		s.Record(phone.Event{At: at.Add(n * time.Second), MAC: noisy, Kind: phone.EventFile, Bytes: n})
		got := must[[]phone.Event](t)(s.Events(t.Context(), "", noisy, 500))
		if len(got) != 500 || got[0].Bytes != n || got[499].Bytes != n-499 {
			t.Fatalf("%d events, from %d", len(got), got[0].Bytes)
		}
		if kept := countEvents(t, s); kept > keepEvents+pruneAfter+1 {
			t.Errorf("%d events kept", kept)
		}
		if got := must[[]phone.Event](t)(s.Events(t.Context(), "", quiet, 500)); len(got) != 1 {
			t.Errorf("%d events of the quiet phone", len(got))
		}
	})
}

// A flood of made-up phones costs neither memory nor room in the database: what waits,
// what is counted and what is kept is bounded, and nobody who records is held up.
func TestFloodOfTimelines(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		const keep, n = 3000, 40_000
		o := d.options()
		o.KeepEvents = keep
		s := openWith(t, o)
		for i := range n {
			made := phone.MAC{0x00, 0x15, 0x65, byte(i >> 16), byte(i >> 8), byte(i)}
			s.Record(phone.Event{Kind: phone.EventFile, MAC: made, Path: made.Hex() + ".cfg", Outcome: "not-found"})
			if i%4000 == 3999 { // else the most would be dropped
				if err := s.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if kept := countEvents(t, s); kept > keep+pruneAllPer || kept < keep {
			t.Errorf("%d events kept", kept)
		}
		if cap(s.events.queue) != eventQueue || len(s.events.pruner.grown) > maxCounted {
			t.Errorf("%d phones are counted", len(s.events.pruner.grown))
		}
		if dropped := testutil.ToFloat64(s.metrics.dropped); dropped != 0 {
			t.Errorf("%v dropped", dropped)
		}
	})
}

// Recording never waits. What does not fit is counted, the rest is stored.
func TestRecordNeverWaits(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		reg := prometheus.NewRegistry()
		o := d.options()
		o.Registerer = reg
		s := openWith(t, o)
		in, out, done := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			done <- s.write(context.Background(), func(*unit) error { close(in); <-out; return nil })
		}()
		<-in // nothing can be written now
		const n = eventQueue + 2*eventWaiting
		for i := range n {
			s.Record(phone.Event{Kind: phone.EventFile, Bytes: int64(i)})
		}
		close(out)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		dropped := int(testutil.ToFloat64(s.metrics.dropped))
		if stored := countEvents(t, s); stored+dropped != n || dropped == 0 || stored < eventQueue {
			t.Errorf("%d stored and %d dropped of %d", stored, dropped, n)
		}
		if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
			t.Errorf("metrics: %v, %v", problems, err)
		}
	})
}

func TestClip(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"abc": "abc", "abcdef": "abcd", "a\x00b": "a?b", "abcü": "abc?", "\xff\xfe": "?", "": "",
	} {
		if got := clip(in, 4); got != want {
			t.Errorf("clip(%q) is %q, want %q", in, got, want)
		}
	}
}

func countEvents(t *testing.T, s *Store) int {
	t.Helper()
	return must[int](t)(engine.One(s.db.Reader(t.Context()), engine.Scalar[int], `SELECT count(*) FROM events`))
}
