package roster

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

// world draws operations on a small set of devices, extensions and contacts, so
// that they meet often.
type world struct {
	h        *house
	revision int64
	bindings []location.Binding
}

func (w *world) device(t *rapid.T) phone.Device {
	n := rapid.IntRange(0, 5).Draw(t, "device")
	d := sample(n, phone.Vendors()[n%3], rapid.SampledFrom([]string{"", "VVX 450", "T46S"}).Draw(t, "model"),
		rapid.SliceOfN(rapid.SampledFrom([]string{"100", "101", "102", "103"}), 0, 3).Draw(t, "lines")...)
	d.MAC[5] = byte(n + 10*rapid.IntRange(0, 1).Draw(t, "mac"))
	w.revision++
	d.Revision, d.UpdatedAt = w.revision, t0.Add(time.Duration(w.revision)*time.Second)
	return d
}

func (w *world) binding(t *rapid.T) location.Binding {
	n := rapid.IntRange(0, 5).Draw(t, "of device")
	d := sample(n, phone.Vendors()[n%3], "")
	b := contactOf(rapid.SampledFrom([]string{"100", "101", "102", "103"}).Draw(t, "extension"), fmt.Sprintf("10.0.0.%d", rapid.IntRange(1, 3).Draw(t, "ip")))
	b.ID = fmt.Sprint("id", rapid.IntRange(0, 7).Draw(t, "id"))
	b.AuthUser = rapid.SampledFrom([]string{"", fmt.Sprintf("l%d_1", n), fmt.Sprintf("l%d_2", n)}).Draw(t, "user")
	b.Instance = rapid.SampledFrom([]string{"", "urn:uuid:a", "urn:uuid:b", "urn:uuid:" + d.MAC.Hex()}).Draw(t, "instance")
	b.UserAgent = rapid.SampledFrom([]string{"", vvx450, jssip, "LinphoneiOS/4.3.0", t46s + " " + d.MAC.Hex()}).Draw(t, "ua")
	b.RefreshedAt = w.h.clock()
	b.ExpiresAt = b.RefreshedAt.Add(time.Hour)
	return b
}

func (w *world) actions() map[string]func(*rapid.T) {
	h := w.h
	file := func(t *rapid.T, kind phone.EventKind) {
		d := w.device(t)
		h.Observe(phone.Event{
			Kind: kind, MAC: d.MAC, Outcome: rapid.SampledFrom([]string{"ok", "denied"}).Draw(t, "outcome"),
			Source: fmt.Sprintf("10.0.0.%d:1", rapid.IntRange(1, 3).Draw(t, "source")), Revision: int64(rapid.IntRange(0, 50).Draw(t, "revision")),
		})
	}
	return map[string]func(*rapid.T){
		"device changed": func(t *rapid.T) { h.DeviceChanged(w.device(t)) },
		"device deleted": func(t *rapid.T) { h.DeviceDeleted(w.device(t).ID) },
		"extension": func(t *rapid.T) {
			h.ExtensionChanged(phone.Extension{Number: "100", Name: rapid.StringN(0, 5, 10).Draw(t, "name")})
		},
		"extension deleted": func(*rapid.T) { h.ExtensionDeleted("100") },
		"file":              func(t *rapid.T) { file(t, phone.EventFile) },
		"dhcp":              func(t *rapid.T) { file(t, phone.EventDHCP) },
		"register": func(t *rapid.T) {
			b := w.binding(t)
			w.bindings = append(w.bindings, b)
			h.Binding(location.Change{Kind: rapid.SampledFrom([]location.ChangeKind{location.Added, location.Changed, location.Refreshed}).Draw(t, "kind"), Binding: b})
		},
		"end": func(t *rapid.T) {
			if len(w.bindings) == 0 {
				t.Skip("nothing is registered")
			}
			b := rapid.SampledFrom(w.bindings).Draw(t, "which")
			h.Binding(location.Change{Kind: rapid.SampledFrom([]location.ChangeKind{location.Removed, location.Expired, location.Evicted}).Draw(t, "kind"), Binding: b})
		},
		"time": func(t *rapid.T) {
			h.pass(time.Duration(rapid.IntRange(1, 400).Draw(t, "hours")) * time.Hour)
			h.age(h.clock())
		},
		"forget": func(t *rapid.T) {
			for _, p := range h.all(Filter{}) {
				if !p.Provisioned && !p.Registered && rapid.Bool().Draw(t, "forget") {
					if err := h.Forget(t.Context(), p.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
		},
		"": func(t *rapid.T) { h.check(t) },
	}
}

// Whatever happens in whatever order: the statistics are those of a recount, the
// indexes agree with the rows, and what is stored is what is in the list.
func TestRandomStories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := build(t, newStore(), func(o *Options) { o.ShowUnknown = true })
		w := &world{h: h}
		rt.Repeat(w.actions())
		h.flush()
		h.tallies(rt)
		list := h.all(Filter{})
		if len(list) != h.Stats().Total {
			rt.Fatalf("the list has %d phones, the statistics %d", len(list), h.Stats().Total)
		}
		for _, p := range list {
			kept := !p.Provisioned && p.State != StatePending
			if _, stored := h.store.seen[p.ID]; stored != kept {
				rt.Fatalf("phone %s: provisioned %v, %s, stored as seen %v", p.ID, p.Provisioned, p.State, stored)
			}
			delete(h.store.seen, p.ID)
		}
		if len(h.store.seen) > 0 {
			rt.Fatalf("stored and not in the list: %v", h.store.seen)
		}
	})
}

// Writers and readers at once; run with -race.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	h := crowd(t)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 200 {
				b := contactOf(fmt.Sprint(100+i%30), fmt.Sprintf("10.9.%d.%d", n, i%50), as(fmt.Sprintf("l%d_1", i%30)), id(fmt.Sprint(n, i%10)))
				h.register(b)
				h.Observe(phone.Event{Kind: phone.EventFile, MAC: sample(i%30, phone.Vendors()[i%30%3], "").MAC, Outcome: "ok", Source: "10.0.0.1:1", Revision: 1})
				if i%3 == 0 {
					h.expire(b)
				}
				if i%20 == 0 {
					d := sample(i%30, phone.Vendors()[i%30%3], "", fmt.Sprint(100+i%30))
					d.Revision = int64(i)
					h.DeviceChanged(d)
				}
			}
		})
		wg.Go(func() {
			for range 50 {
				if _, _, err := h.List(Filter{Q: "10.9"}, "", 20); err != nil {
					t.Error(err)
				}
				st := h.Stats()
				if st.Registered+st.Unregistered != st.Total {
					t.Errorf("stats %+v", st)
				}
				h.Contacts("101")
				h.flush()
			}
		})
	}
	wg.Wait()
	h.check(t)
}
