package roster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	st := newStore()
	d := sample(1, phone.Polycom, "VVX 450", "101")
	st.devices[d.ID] = d
	h := build(t, st)
	h.Observe(phone.Event{At: t0, Kind: phone.EventFile, MAC: d.MAC, Outcome: "ok", Revision: 1, Source: "10.0.0.5:1"})
	desk := contactOf("101", "10.0.0.5", as("l1_1"), ua(vvx450))
	web := contactOf("102", "192.0.2.7", ua(jssip), instance("urn:uuid:1"))
	soft := contactOf("102", "192.0.2.8", ua("MicroSIP/3.21.4"))
	for _, b := range []location.Binding{desk, web, soft} {
		h.register(b)
		h.expire(b)
	}
	before := h.all(Filter{})
	h = h.restart()
	after := h.all(Filter{})
	for i := range before {
		before[i].MatchedBy = "" // is not stored
	}
	want(t, after, before)
	h.check(t)
	for _, b := range []location.Binding{desk, web, soft} {
		h.register(b)
	}
	want(t, h.Stats(), Stats{Total: 3, Registered: 3, ByType: ByType{Hardware: 1, Softphone: 1, WebRTC: 1}})
	h.check(t)
}

// Registrations may be reported before what was seen is loaded.
func TestContactsBeforeLoad(t *testing.T) {
	t.Parallel()
	st := newStore()
	d := sample(1, phone.Polycom, "VVX 450", "101")
	st.devices[d.ID] = d
	h := build(t, st)
	desk := contactOf("101", "10.0.0.5", as("l1_1"), ua(vvx450))
	web := contactOf("102", "192.0.2.7", ua(jssip), instance("urn:uuid:1"))
	h.register(web)
	h.flush()

	fresh, err := New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	n := &house{t: t, store: st, at: t0, Roster: fresh}
	n.register(desk)
	n.register(web)
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, n.Stats(), Stats{Total: 2, Registered: 2, ByType: ByType{Hardware: 1, WebRTC: 1}})
	n.flush()
	want(t, len(st.seen), 1)
	n.check(t)
}

// A second Load drops what is gone and keeps what was told meanwhile.
func TestLoadAgain(t *testing.T) {
	t.Parallel()
	st := newStore()
	for i := range 5 {
		d := sample(i, phone.Polycom, "VVX 450", fmt.Sprint(100+i))
		st.devices[d.ID] = d
		st.extensions[fmt.Sprint(100+i)] = phone.Extension{Number: fmt.Sprint(100 + i), Name: fmt.Sprint("Name-", i)}
	}
	h := build(t, st)
	h.register(contactOf("103", "10.0.0.5", as("l3_1"), ua(vvx450)))
	delete(st.devices, sample(3, phone.Polycom, "").ID)
	delete(st.devices, sample(4, phone.Polycom, "").ID)
	delete(st.extensions, "104")
	st.extensions["100"] = phone.Extension{Number: "100", Name: "Renamed"}
	if err := h.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, h.Stats(), Stats{Total: 4, Registered: 1, Unregistered: 3, ByType: ByType{Hardware: 4}})
	want(t, h.only(Filter{Q: "renamed"}).Extension, "100")
	want(t, len(h.all(Filter{Q: "name-0"})), 0)
	h.check(t)

	st.broken = errBroken
	if err := h.Load(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("Load over a broken store: %v", err)
	}
	want(t, h.Stats().Total, 4)
}

func TestSaveFailure(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101")
	h.DeviceChanged(d)
	h.register(contactOf("101", "10.0.0.5", as("l1_1"), ua(vvx450)))
	b := contactOf("102", "10.0.0.6", ua(jssip))
	h.register(b)
	h.flush()
	h.expire(b)
	seen := h.only(Filter{DeviceType: "webrtc"}).ID
	h.Observe(phone.Event{At: t0, Kind: phone.EventFile, MAC: d.MAC, Outcome: "ok", Revision: 1, Source: "10.0.0.5:1"})
	h.store.broken = errBroken
	if err := h.Forget(context.Background(), seen); !errors.Is(err, errBroken) {
		t.Fatalf("Forget over a broken store: %v", err)
	}
	h.store.broken = nil
	h.flush()
	want(t, len(h.store.seen), 0)
	want(t, h.store.states[d.ID].ProvisionedRevision, int64(1))
	h.store.writes = 0
	h.flush()
	want(t, h.store.writes, 0)
}

// A plain refresh is saved now and then only.
func TestRefreshesAreSavedRarely(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	b := contactOf("101", "10.0.0.6", ua(jssip))
	h.register(b)
	h.flush()
	h.store.writes = 0
	for i := 1; i <= 30; i++ {
		h.Binding(location.Change{Kind: location.Refreshed, Binding: contactOf("101", "10.0.0.6", ua(jssip), at(t0.Add(time.Duration(i)*time.Minute)))})
		h.flush()
	}
	want(t, h.store.writes, 3)
	want(t, h.only(Filter{}).LastRegistered, t0.Add(30*time.Minute))
}

// Two nodes see the same phone and call it the same; one that another version
// stored under another id is in the list once.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	st := newStore()
	one, two := build(t, st), build(t, st)
	web := contactOf("101", "192.0.2.7", ua(jssip), instance("urn:uuid:1"))
	one.register(web)
	two.register(web)
	p := one.only(Filter{})
	want(t, p.ID, two.only(Filter{}).ID)
	one.flush()
	two.flush()
	want(t, len(st.seen), 1)

	twin := st.seen[p.ID]
	twin.ID, twin.Key = "phone_zz", strings.Replace(twin.Key, p.ID, "phone_zz", 1)
	st.seen[twin.ID] = twin
	one = one.restart()
	want(t, one.only(Filter{}).ID, p.ID)
	one.flush()
	want(t, len(st.seen), 1)
	one.SeenDeleted(p.ID)
	want(t, one.Stats().Total, 0)
}

// A start that finds every contact as it was saved writes nothing, whether the
// contacts or what was saved come first.
func TestStartSavesNothing(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	contacts := []location.Binding{
		contactOf("101", "10.0.0.1", ua(jssip)), contactOf("102", "10.0.0.2", ua(t46s), instance("urn:uuid:7c6d4c1e-9f0b-4f4e-8a3a-000000000001")),
	}
	for _, b := range contacts {
		h.register(b)
	}
	h.flush()
	h = h.restart()
	before := h.store.written()
	for _, b := range contacts {
		h.register(b)
	}
	h.flush()
	want(t, len(h.all(Filter{})), 2)
	want(t, h.store.written()-before, 0)
	changed := contacts[0]
	changed.UserAgent = vvx450
	h.register(changed)
	h.flush()
	want(t, h.store.written()-before, 1)
}
