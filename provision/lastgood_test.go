package provision

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"pbx.dev/dialtone/internal/phone"
)

// cupboard keeps what phones got.
type cupboard map[string][]byte

func (c cupboard) Keep(name string, data []byte) { c[name] = data }

func (c cupboard) Kept(name string) ([]byte, error) {
	if data, ok := c[name]; ok {
		return data, nil
	}
	return nil, phone.ErrNotFound
}

// After a restart with a store that is down a phone gets what it got before; one
// that never came gets nothing, and neither does a stranger.
func TestLastGoodSurvivesARestart(t *testing.T) {
	t.Parallel()
	kept := cupboard{}
	b := newBench(t, func(o *Options) { o.Kept = kept })
	want, _, err := b.fetch("/805ec0aabbcc.cfg")
	if err != nil {
		t.Fatal(err)
	}
	b = newBench(t, func(o *Options) { o.Kept = kept })
	b.shelf.err = errors.New("down")
	got, f, err := b.fetch("/805ec0aabbcc.cfg")
	if err != nil || got != want || f.ContentType != "text/plain" {
		t.Errorf("%v:\n%s", err, got)
	}
	if e := b.events[0]; e.DeviceID != "phone_yealink" || e.Revision != 7 || !strings.Contains(e.Detail, "last one known") || e.Outcome != "ok" {
		t.Errorf("event %+v", e)
	}
	if n := testutil.ToFloat64(b.metrics.lastGood.WithLabelValues("store")); n != 1 {
		t.Errorf("%v in the metric", n)
	}
	if _, _, err := b.fetch("/805ec0aabbcc.boot"); err == nil || errors.Is(err, phone.ErrNotFound) {
		t.Errorf("a file it never got: %v", err)
	}
	if _, _, err := b.fetchAs(Request{Path: "/805ec0aabbcc.cfg"}); err != phone.ErrNotFound { //nolint:errorlint // the very same error
		t.Errorf("a stranger: %v", err)
	}
	kept[keptName(cacheKey{mac: yeaMAC, vendor: phone.Yealink, kind: KindMAC})] = []byte("rubbish")
	b = newBench(t, func(o *Options) { o.Kept = kept })
	b.shelf.err = errors.New("down")
	if _, _, err := b.fetch("/805ec0aabbcc.cfg"); err == nil {
		t.Error("rubbish was served")
	}
}

// A template that breaks later leaves phones what they have.
func TestLastGoodOfABrokenTemplate(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Kept = cupboard{} })
	want, _, err := b.fetch("/805ec0aabbcc.cfg")
	if err != nil {
		t.Fatal(err)
	}
	broken, err := b.live.Library().Base().Overlay(fstest.MapFS{"yealink/phone.tmpl": {Data: []byte(`{{(index .Lines 7).Label}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	b.live.Swap(libraryOf(broken))
	got, _, err := b.fetch("/805ec0aabbcc.cfg")
	if err != nil || got != want {
		t.Errorf("%v:\n%s", err, got)
	}
	if n := testutil.ToFloat64(b.metrics.lastGood.WithLabelValues("template")); n != 1 {
		t.Errorf("%v in the metric", n)
	}
	if e := b.events[1]; !strings.Contains(e.Detail, "could not be rendered") || e.Outcome != "ok" {
		t.Errorf("event %+v", e)
	}
	d := b.shelf.devices[yeaMAC]
	d.ID = "phone_another"
	b.shelf.devices[yeaMAC] = d
	if _, _, err := b.fetch("/805ec0aabbcc.cfg"); err == nil {
		t.Error("the file of the phone that had this MAC before was served")
	}
}

// With a token, and nobody to ask whose it is, a phone gets what it got with that
// very token.
func TestLastGoodWithAToken(t *testing.T) {
	t.Parallel()
	kept := cupboard{}
	b, _ := tokenBench(t, func(o *Options) { o.Kept = kept })
	want, _, err := b.fetch("/p/" + steadyText + "/805ec0aabbcc.cfg")
	if err != nil {
		t.Fatal(err)
	}
	b, k := tokenBench(t, func(o *Options) { o.Kept = kept })
	k.err, k.device = errors.New("down"), phone.Device{}
	b.opts.Tokens = downRing{}
	if got, _, err := b.fetch("/p/" + steadyText + "/805ec0aabbcc.cfg"); err != nil || got != want {
		t.Errorf("%v:\n%s", err, got)
	}
	for _, path := range []string{"/p/" + strings.Repeat("c", 26) + "/805ec0aabbcc.cfg", "/p/" + steadyText + "/0004f2abcdef.cfg", "/p/" + steadyText + "/y000000000066.cfg"} {
		if _, _, err := b.fetch(path); err == nil {
			t.Errorf("%s was served", path)
		}
	}
	if e := b.events[0]; e.At.After(time.Unix(1_900_000_000, 0)) || strings.Contains(e.Path+e.Detail, steadyText) {
		t.Errorf("event %+v", e)
	}
}
