package locationtest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pbx.dev/dialtone/registrar/location"
)

// model is the rules once more, as plainly as can be: RFC 3261 section 10.3 over
// a map. It knows nothing of expiry.
type model map[string]location.Binding

func (m model) apply(u location.Update) error {
	next := model{}
	for id, b := range m {
		next[id] = b
	}
	var err error
	if u.RemoveAll {
		err = next.removeAll(u)
	} else {
		err = next.contacts(u)
	}
	if err != nil {
		return err
	}
	clear(m)
	for id, b := range next {
		m[id] = b
	}
	return nil
}

func (m model) removeAll(u location.Update) error {
	for id, b := range m {
		if u.Device != "" && u.Device != b.Device {
			continue
		}
		if b.CallID == u.CallID && u.CSeq <= b.CSeq {
			return location.ErrStale
		}
		delete(m, id)
	}
	return nil
}

func (m model) contacts(u location.Update) error {
	repeats, news := 0, 0
	for _, c := range u.Contacts {
		b, there := m[c.ID]
		switch {
		case !there && c.TTL == 0:
		case !there, b.CallID != u.CallID, u.CSeq > b.CSeq:
			news++
		case u.CSeq == b.CSeq && c.TTL > 0 && c.UserAgent == b.UserAgent && c.Device == b.Device:
			repeats++
		default:
			return location.ErrStale
		}
	}
	if repeats > 0 {
		if news > 0 {
			return location.ErrStale
		}
		return nil
	}
	return m.replace(u)
}

func (m model) replace(u location.Update) error {
	named := map[string]bool{}
	var added []location.Binding
	for _, c := range u.Contacts {
		named[c.ID] = true
		b := c.Binding
		b.CallID, b.CSeq = u.CallID, u.CSeq
		_, there := m[c.ID]
		switch {
		case c.TTL == 0:
			delete(m, c.ID)
		case there:
			m[c.ID] = b
		default:
			added = append(added, b)
		}
	}
	for _, b := range added {
		for u.MaxContacts > 0 && len(m) >= u.MaxContacts {
			var old []location.Binding
			for id, o := range m {
				if o.Device == b.Device && !named[id] {
					old = append(old, o)
				}
			}
			if len(old) == 0 {
				return location.ErrTooMany
			}
			oldest := slices.MinFunc(old, func(a, b location.Binding) int {
				if c := a.RefreshedAt.Compare(b.RefreshedAt); c != 0 {
					return c
				}
				if c := a.RegisteredAt.Compare(b.RegisteredAt); c != 0 {
					return c
				}
				return compare(a.ID, b.ID)
			})
			delete(m, oldest.ID)
		}
		m[b.ID] = b
	}
	return nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// draw makes a REGISTER of a small world, so that things meet.
func draw(t *rapid.T, aor location.AOR) location.Update {
	u := location.Update{
		AOR:    aor,
		CallID: rapid.SampledFrom([]string{"call-1", "call-2", "call-3"}).Draw(t, "call"),
		CSeq:   rapid.Uint32Range(1, 6).Draw(t, "cseq"),
	}
	device := rapid.SampledFrom([]string{"one", "two"})
	if rapid.IntRange(0, 9).Draw(t, "wildcard") == 0 {
		u.RemoveAll = true
		u.Device = rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "scope")
		return u
	}
	u.MaxContacts = rapid.SampledFrom([]int{0, 2, 3, 4}).Draw(t, "max")
	all := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), 0, 3, rapid.ID).Draw(t, "ids")
	for _, id := range all {
		ttl := rapid.SampledFrom([]time.Duration{0, time.Hour, 2 * time.Hour}).Draw(t, "ttl")
		u.Contacts = append(u.Contacts, with(phone(id, ttl), func(b *location.Binding) {
			b.Device = device.Draw(t, "device")
			b.UserAgent = rapid.SampledFrom([]string{"old firmware", "new firmware"}).Draw(t, "ua")
		}))
	}
	return u
}

func modelStep(rt *rapid.T, s location.Store, m model, u location.Update) {
	want := m.apply(u)
	r, err := s.Apply(rt.Context(), u)
	if !errors.Is(err, want) || (want == nil) != (err == nil) {
		rt.Fatalf("error %v, want %v", err, want)
	}
	got, err := s.Lookup(rt.Context(), u.AOR)
	if err != nil {
		rt.Fatal(err)
	}
	if want == nil && ids(r.Bindings) != ids(got) {
		rt.Fatalf("answer %q, lookup %q", ids(r.Bindings), ids(got))
	}
	if len(got) != len(m) {
		rt.Fatalf("%d bindings %q, want %d", len(got), ids(got), len(m))
	}
	for _, b := range got {
		w, there := m[b.ID]
		if !there || b.CallID != w.CallID || b.CSeq != w.CSeq || b.UserAgent != w.UserAgent || b.Device != w.Device {
			rt.Fatalf("binding %+v, want %+v", b, w)
		}
		m[b.ID] = b // the store's clock
	}
	if !slices.IsSortedFunc(got, func(a, b location.Binding) int { return b.RefreshedAt.Compare(a.RefreshedAt) }) {
		rt.Fatalf("not newest first: %v", got)
	}
}

func modelTest(t *testing.T, s location.Store) {
	var runs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		run := runs.Add(1)
		aors := []location.AOR{
			location.AOR(fmt.Sprintf("m%d-1@pbx.dev", run)), location.AOR(fmt.Sprintf("m%d-2@pbx.dev", run)),
		}
		models := []model{{}, {}}
		rt.Repeat(map[string]func(*rapid.T){
			"apply": func(rt *rapid.T) {
				i := rapid.IntRange(0, 1).Draw(rt, "aor")
				modelStep(rt, s, models[i], draw(rt, aors[i]))
			},
		})
	})
}
