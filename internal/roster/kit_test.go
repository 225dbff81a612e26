package roster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

// t0 is when the stories of the tests begin.
var t0 = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// store is the part of the inventory that a roster sees, in memory.
type store struct {
	mu         sync.Mutex
	devices    map[string]phone.Device
	extensions map[string]phone.Extension
	seen       map[string]phone.Seen
	states     map[string]phone.DeviceState
	broken     error
	writes     int
}

func newStore() *store {
	return &store{
		devices: map[string]phone.Device{}, extensions: map[string]phone.Extension{},
		seen: map[string]phone.Seen{}, states: map[string]phone.DeviceState{},
	}
}

var _ Saver = (*store)(nil)

func (st *store) write(fn func()) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.writes++
	if st.broken != nil {
		return st.broken
	}
	fn()
	return nil
}

// count is how many seen phones are stored.
func (st *store) count() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.seen)
}

// written is how often something was written, or tried to be.
func (st *store) written() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.writes
}

// fail makes the store fail from now on; nil mends it.
func (st *store) fail(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.broken = err
}

func (st *store) SaveSeen(_ context.Context, list []phone.Seen) error {
	return st.write(func() {
		for _, p := range list {
			st.seen[p.ID] = p
		}
	})
}

func (st *store) DeleteSeen(_ context.Context, ids []string) error {
	return st.write(func() {
		for _, id := range ids {
			delete(st.seen, id)
		}
	})
}

func (st *store) SaveDeviceStates(_ context.Context, list []phone.DeviceState) error {
	return st.write(func() {
		for _, d := range list {
			st.states[d.DeviceID] = d
		}
	})
}

// loader pages through a map in the order of its keys.
func loader[T any](st *store, m map[string]T) func(context.Context, string, int) ([]T, error) {
	return func(_ context.Context, after string, limit int) ([]T, error) {
		st.mu.Lock()
		defer st.mu.Unlock()
		if st.broken != nil {
			return nil, st.broken
		}
		var out []T
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if k > after && len(out) < limit {
				out = append(out, m[k])
			}
		}
		return out, nil
	}
}

// house is a roster with its store, at a time that the test moves.
type house struct {
	*Roster
	t     testing.TB
	store *store
	mu    sync.Mutex
	at    time.Time
}

// build makes a roster over a store and loads it.
func build(t testing.TB, st *store, change ...func(*Options)) *house {
	t.Helper()
	h := &house{t: t, store: st, at: t0}
	opts := Options{
		Devices: loader(st, st.devices), Extensions: loader(st, st.extensions),
		Seen: loader(st, st.seen), DeviceStates: loader(st, st.states), Save: st, Now: h.clock,
	}
	for _, fn := range change {
		fn(&opts)
	}
	r, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	h.Roster = r
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

func (h *house) flush() {
	h.t.Helper()
	if err := h.Flush(context.Background()); err != nil {
		h.t.Fatal(err)
	}
}

// restart is a new roster over what the old one saved.
func (h *house) restart() *house {
	h.t.Helper()
	h.flush()
	n := build(h.t, h.store)
	n.at = h.clock()
	return n
}

// one returns the phone with this id.
func (h *house) one(id string) Phone {
	h.t.Helper()
	p, ok := h.Phone(id)
	if !ok {
		h.t.Fatalf("no phone %s", id)
	}
	return p
}

// all returns every phone that passes f, read in small pages.
func (h *house) all(f Filter) []Phone {
	h.t.Helper()
	var out []Phone
	for cursor := ""; ; {
		page, next, err := h.List(f, cursor, 3)
		if err != nil {
			h.t.Fatal(err)
		}
		if out = append(out, page...); next == "" {
			return out
		}
		cursor = next
	}
}

// only returns the one phone that passes f.
func (h *house) only(f Filter) Phone {
	h.t.Helper()
	list := h.all(f)
	if len(list) != 1 {
		h.t.Fatalf("%d phones, want one: %+v", len(list), list)
	}
	return list[0]
}

// device is a sample device with lines on the given extensions.
func sample(n int, vendor phone.Vendor, model string, extensions ...string) phone.Device {
	blocks := map[phone.Vendor][3]byte{phone.Polycom: {0x00, 0x04, 0xf2}, phone.Yealink: {0x80, 0x5e, 0xc0}, phone.Grandstream: {0x00, 0x0b, 0x82}}
	b := blocks[vendor]
	d := phone.Device{
		ID: fmt.Sprintf("phone_dev%06d", n), MAC: phone.MAC{b[0], b[1], b[2], byte(n >> 16), byte(n >> 8), byte(n)},
		Vendor: vendor, Model: model, Revision: 1, CreatedAt: t0, UpdatedAt: t0,
	}
	for i, e := range extensions {
		d.Lines = append(d.Lines, phone.Line{Number: i + 1, Extension: e, AuthUser: fmt.Sprintf("l%d_%d", n, i+1)})
	}
	return d
}

// contactOf is a binding of an extension; change makes it what a test needs.
func contactOf(extension, ip string, change ...func(*location.Binding)) location.Binding {
	b := location.Binding{
		AOR: location.AOR(extension + "@pbx.dev"), ID: "c-" + extension + "-" + ip, Contact: "sip:" + extension + "@" + ip + ":5060",
		Received: ip + ":5060", Transport: "udp", AuthUser: extension + "_aaaa", Q: 1000,
		RegisteredAt: t0, RefreshedAt: t0, ExpiresAt: t0.Add(time.Hour),
	}
	for _, fn := range change {
		fn(&b)
	}
	return b
}

func as(user string) func(*location.Binding) {
	return func(b *location.Binding) { b.AuthUser = user }
}

func ua(text string) func(*location.Binding) {
	return func(b *location.Binding) { b.UserAgent = text }
}

func instance(text string) func(*location.Binding) {
	return func(b *location.Binding) { b.Instance = text }
}

func id(text string) func(*location.Binding) { return func(b *location.Binding) { b.ID = text } }

func at(when time.Time) func(*location.Binding) {
	return func(b *location.Binding) {
		b.RefreshedAt, b.ExpiresAt = when, when.Add(time.Hour)
	}
}

func (h *house) register(b location.Binding) {
	h.Binding(location.Change{Kind: location.Added, Binding: b})
}

func (h *house) expire(b location.Binding) {
	h.Binding(location.Change{Kind: location.Expired, Binding: b})
}

// want compares the named fields of a phone.
func want(t testing.TB, got, want any) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var errBroken = errors.New("the store is broken")

// check proves that everything the roster keeps beside the rows agrees with them.
func (h *house) check(t interface {
	Helper()
	Fatalf(string, ...any)
},
) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Roster.mu.RLock()
	defer h.Roster.mu.RUnlock()
	s := h.st
	var st Stats
	for _, r := range s.byID {
		if s.rows[r.slot] != r || !s.hot[r.slot].used {
			t.Fatalf("row %s is not in its slot", r.id)
		}
		st.Total++
		if r.live() {
			st.Registered++
		} else {
			st.Unregistered++
		}
		*st.ByType.of(types[r.typ()])++
		if hot := s.hot[r.slot]; hot.registered != r.live() || hot.state != r.state() || hot.typ != r.typ() || hot.drift != (len(s.driftOf(r)) > 0) {
			t.Fatalf("hot facts of %s are stale", r.id)
		}
		if s.text[r.slot] != s.textOf(r) || s.sign[r.slot] != signOf(s.text[r.slot]) {
			t.Fatalf("search text of %s is stale", r.id)
		}
		live := 0
		for _, c := range r.contacts {
			if c.row != r || s.contacts[contactKey{c.b.AOR, c.b.ID}] != c {
				t.Fatalf("contact %s of %s is not its own", c.b.ID, r.id)
			}
			if c.line >= 0 {
				live++
			}
		}
		if r.dev != nil {
			for i := range r.dev.lines {
				live -= r.dev.lines[i].live
			}
			if live != 0 {
				t.Fatalf("lines of %s count wrongly", r.id)
			}
		}
	}
	if st != s.stats {
		t.Fatalf("stats are %+v, a recount gives %+v", s.stats, st)
	}
	if n := s.stats.ByType; n.Hardware+n.Softphone+n.WebRTC+n.Mobile != s.stats.Total {
		t.Fatalf("byType does not add up: %+v", s.stats)
	}
	h.checkIndexes(t)
}

func (h *house) checkIndexes(t interface {
	Helper()
	Fatalf(string, ...any)
},
) {
	t.Helper()
	s := h.st
	order := slices.Concat(s.order.chunks...)
	if len(order) != len(s.byID) || s.order.rows != len(order) || !slices.IsSortedFunc(order, func(a, b uint32) int { return cmp.Compare(s.rows[a].id, s.rows[b].id) }) {
		t.Fatalf("order has %d of %d rows or is not sorted", len(order), len(s.byID))
	}
	inRows, inExts := 0, 0
	for _, r := range s.byID {
		inRows += len(r.contacts)
	}
	for number, e := range s.exts {
		inExts += len(e.contacts)
		if !e.known && len(e.rows) == 0 && len(e.contacts) == 0 {
			t.Fatalf("extension %s is kept for nothing", number)
		}
		for _, r := range e.rows {
			if s.byID[r.id] != r || !slices.Contains(r.extensions(), number) {
				t.Fatalf("extension %s lists %s", number, r.id)
			}
		}
	}
	if inRows != len(s.contacts) || inExts != len(s.contacts) {
		t.Fatalf("%d contacts, %d in rows, %d in extensions", len(s.contacts), inRows, inExts)
	}
	for mac, list := range s.claims {
		for _, r := range list {
			if s.byID[r.id] != r || r.mac != mac || r.seen == nil {
				t.Fatalf("claim of %s by %s is stale", mac, r.id)
			}
		}
	}
	for _, list := range s.address {
		for _, r := range list {
			if s.byID[r.id] != r {
				t.Fatalf("address key of %s is stale", r.id)
			}
		}
	}
	for mac, r := range s.macs {
		if s.byID[r.id] != r || r.mac != mac {
			t.Fatalf("mac %s is stale", mac)
		}
	}
}
