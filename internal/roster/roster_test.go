package roster

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

const (
	vvx450 = "PolycomVVX-VVX_450-UA/6.4.5"
	t46s   = "Yealink SIP-T46S 66.86.0.15"
	jssip  = "JsSIP 3.10.0"
)

// A device goes through all states, as an operator sees it.
func TestLifeOfADevice(t *testing.T) {
	t.Parallel()
	st := newStore()
	d := sample(1, phone.Polycom, "VVX 450", "101")
	d.Name = "Front desk"
	st.devices[d.ID] = d
	st.extensions["101"] = phone.Extension{Number: "101", Name: "Reception"}
	h := build(t, st)

	p := h.one(d.ID)
	want(t, p, Phone{
		ID: d.ID, Provisioned: true, Extension: "101", ExtensionName: "Reception", DeviceType: "hardware",
		Manufacturer: "Polycom", Model: "VVX 450", MAC: d.MAC, State: StateExpected, Revision: 1,
		Lines: []Line{{Line: 1, ExtensionNumber: "101", AuthUser: "l1_1"}},
	})

	h.Observe(phone.Event{At: t0, Kind: phone.EventDHCP, MAC: d.MAC, Outcome: "ok", Source: "10.0.0.5"})
	want(t, h.one(d.ID).State, StateContacted)
	want(t, h.one(d.ID).IPAddress, "10.0.0.5")

	fetched := t0.Add(time.Second)
	h.Observe(phone.Event{
		At: fetched, Kind: phone.EventFile, MAC: d.MAC, Outcome: "ok", Revision: 1, Source: "10.0.0.5:41000",
		UserAgent: "FileTransport PolycomVVX-VVX_450-UA/5.9.0.1 Type/Updater",
	})
	p = h.one(d.ID)
	want(t, p.State, StateConfigured)
	want(t, p.LastProvisioned, fetched)
	want(t, p.Firmware, "") // the updater's version is not the phone's

	b := contactOf("101", "10.0.0.5", as("l1_1"), ua(vvx450), at(t0.Add(2*time.Second)))
	h.register(b)
	p = h.one(d.ID)
	want(t, p.State, StateRegistered)
	want(t, p.Registered, true)
	want(t, p.MatchedBy, RuleSIPUser)
	want(t, p.Firmware, "6.4.5")
	want(t, p.UserAgent, vvx450)
	want(t, p.LastRegistered, t0.Add(2*time.Second))
	want(t, p.Lines, []Line{{Line: 1, ExtensionNumber: "101", Registered: true, AuthUser: "l1_1"}})
	want(t, h.Stats(), Stats{Total: 1, Registered: 1, ByType: ByType{Hardware: 1}})

	h.expire(b)
	p = h.one(d.ID)
	want(t, p.State, StateUnregistered)
	want(t, p.Registered, false)
	want(t, p.UserAgent, vvx450)
	want(t, h.Stats(), Stats{Total: 1, Unregistered: 1, ByType: ByType{Hardware: 1}})
	h.check(t)
}

func TestDeviceWithoutLinesIsPending(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Yealink, "T46S")
	h.DeviceChanged(d)
	want(t, h.one(d.ID).State, StatePending)
	want(t, h.only(Filter{State: StatePending}).ID, d.ID)
	h.check(t)
}

func TestSeveralLinesAreOnePhone(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Yealink, "T46S", "101", "102")
	h.DeviceChanged(d)
	one := contactOf("101", "10.0.0.5", as("l1_1"), ua(t46s))
	two := contactOf("102", "10.0.0.5", as("l1_2"), ua(t46s))
	h.register(one)
	h.register(two)
	want(t, h.Stats(), Stats{Total: 1, Registered: 1, ByType: ByType{Hardware: 1}})
	h.expire(one)
	p := h.one(d.ID)
	want(t, p.Registered, true)
	want(t, p.Extension, "101")
	want(t, p.Lines, []Line{{1, "101", false, "l1_1"}, {2, "102", true, "l1_2"}})
	for _, number := range []string{"101", "102"} {
		want(t, h.only(Filter{Extension: number}).ID, d.ID)
	}
	want(t, h.Contacts("101"), []Contact{})
	want(t, h.Contacts("102"), []Contact{{Binding: two, PhoneID: d.ID}})
	h.check(t)
}

// A phone that registered before it was provisioned is in the list once.
func TestAdoption(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		contact func(d phone.Device) location.Binding
		rule    string
	}{
		{"minted user", func(phone.Device) location.Binding { return contactOf("101", "10.0.0.9", as("l1_1"), ua(t46s)) }, RuleSIPUser},
		{"instance", func(d phone.Device) location.Binding {
			return contactOf("101", "10.0.0.9", ua(t46s), instance("urn:uuid:00000000-0000-0000-0000-"+d.MAC.Hex()))
		}, RuleSIPInstance},
		{"user agent", func(d phone.Device) location.Binding {
			return contactOf("101", "10.0.0.9", ua(t46s+" "+d.MAC.Hex()))
		}, RuleUserAgentMAC},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := build(t, newStore())
			d := sample(1, phone.Yealink, "T46S", "101")
			h.register(tt.contact(d))
			h.flush()
			want(t, len(h.store.seen), 1)
			h.DeviceChanged(d)
			p := h.only(Filter{})
			want(t, p.ID, d.ID)
			want(t, p.MatchedBy, tt.rule)
			want(t, p.Registered, true)
			h.flush()
			want(t, len(h.store.seen), 0)
			h.check(t)

			h.DeviceDeleted(d.ID)
			p = h.only(Filter{})
			want(t, p.Provisioned, false)
			want(t, p.Registered, true)
			h.check(t)
		})
	}
}

func TestAdoptionUnderTheSameID(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Yealink, "T46S", "101")
	h.register(contactOf("101", "10.0.0.9", ua(t46s+" "+d.MAC.Hex())))
	d.ID = h.only(Filter{}).ID
	h.DeviceChanged(d)
	want(t, h.only(Filter{}).Provisioned, true)
	want(t, h.one(d.ID).Registered, true)
	h.check(t)
}

func TestLineAndIP(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Grandstream, "GXP2135", "101")
	h.DeviceChanged(d)
	b := contactOf("101", "10.0.0.5", ua("Grandstream GXP2135 1.0.9.108"))
	h.register(b)
	want(t, h.Stats().Total, 2) // nothing says yet that it is this device
	h.Observe(phone.Event{Kind: phone.EventFile, DeviceID: d.ID, Outcome: "denied", Source: "10.0.0.5:1"})
	want(t, h.Stats().Total, 2) // anybody can ask
	h.Observe(phone.Event{Kind: phone.EventFile, DeviceID: d.ID, Outcome: "ok", Source: "10.0.0.5:1", Revision: 1})
	want(t, h.only(Filter{}).MatchedBy, RuleLineAndIP)
	h.check(t)

	// It moves: the old contact stays its own until it expires.
	h.Observe(phone.Event{Kind: phone.EventFile, DeviceID: d.ID, Outcome: "ok", Source: "10.0.0.6:1", Revision: 1})
	want(t, h.only(Filter{}).Registered, true)
	h.register(contactOf("101", "10.0.0.6", ua("Grandstream GXP2135 1.0.9.108")))
	h.expire(b)
	want(t, h.only(Filter{}).IPAddress, "10.0.0.6")

	// A second device of the extension at the same address makes it ambiguous.
	e := sample(2, phone.Grandstream, "GXP2135", "101")
	h.DeviceChanged(e)
	h.Observe(phone.Event{Kind: phone.EventDHCP, MAC: e.MAC, Outcome: "ok", Source: "10.0.0.6"})
	h.register(contactOf("101", "10.0.0.6", id("late"), ua("Grandstream GXP2135 1.0.9.108")))
	want(t, h.Stats().Total, 3)
	h.check(t)
}

func TestDrift(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, ua string
		kind     string
	}{
		{"as provisioned", vvx450, ""},
		{"unknown text", "sipp", ""},
		{"another model", "PolycomVVX-VVX_411-UA/6.4.5", "model"},
		{"another vendor", t46s, "vendor"},
		{"software", "MicroSIP/3.21.4", "type"},
		{"another mac", vvx450 + "_0004f2999999", "mac"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := build(t, newStore())
			d := sample(1, phone.Polycom, "VVX450", "101")
			h.DeviceChanged(d)
			h.register(contactOf("101", "10.0.0.5", as("l1_1"), ua(tt.ua)))
			yes := true
			if tt.kind == "" {
				want(t, len(h.one(d.ID).Drift), 0)
				want(t, len(h.all(Filter{Drift: &yes})), 0)
				return
			}
			p := h.only(Filter{Drift: &yes})
			if len(p.Drift) != 1 || !strings.HasPrefix(p.Drift[0], tt.kind+": ") {
				t.Errorf("drift %q", p.Drift)
			}
			want(t, h.only(Filter{DriftKind: tt.kind}).ID, d.ID)
			want(t, len(h.all(Filter{DriftKind: "configuration"})), 0)
			h.check(t)
		})
	}
}

// TestDriftOfFirmware: a target that changes shows when the list is told to look.
func TestDriftOfFirmware(t *testing.T) {
	t.Parallel()
	var target atomic.Value
	target.Store("")
	var changes []DriftChange
	h := build(t, newStore(), func(o *Options) {
		o.Wanted = func(r Runs) string {
			if r.Vendor != phone.Yealink || r.Model != "T46S" || r.Firmware != "66.86.0.15" || r.Firmware == target.Load() {
				return ""
			}
			return target.Load().(string)
		}
		o.Drifted = func(c DriftChange) { changes = append(changes, c) }
	})
	d, other := sample(1, phone.Yealink, "T46S", "101"), sample(2, phone.Polycom, "VVX450", "102")
	h.DeviceChanged(d)
	h.DeviceChanged(other)
	h.register(contactOf("101", "10.0.0.5", as("l1_1"), ua("Yealink SIP-T46S 66.86.0.15")))
	want(t, len(h.all(Filter{DriftKind: "firmware"})), 0)
	target.Store("66.99.0.1")
	h.Recheck()
	p := h.only(Filter{DriftKind: "firmware"})
	if p.ID != d.ID || len(p.Drift) != 1 || p.Drift[0] != "firmware: the phone runs 66.86.0.15, the target of its model is 66.99.0.1" {
		t.Errorf("drift %q of %s", p.Drift, p.ID)
	}
	target.Store("66.86.0.15")
	h.Recheck(d.MAC)
	want(t, len(h.one(d.ID).Drift), 0)
	want(t, len(changes), 2)
}

func TestDriftOfConfiguration(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101")
	h.DeviceChanged(d)
	h.Observe(phone.Event{Kind: phone.EventFile, MAC: d.MAC, Outcome: "ok", Revision: 1, Source: "10.0.0.5:1"})
	want(t, h.one(d.ID).State, StateConfigured)
	d.Revision, d.UpdatedAt = 2, t0.Add(time.Minute)
	h.DeviceChanged(d)
	want(t, h.one(d.ID).State, StateContacted)
	want(t, h.only(Filter{DriftKind: "configuration"}).ID, d.ID)
	old := d
	old.Revision, old.UpdatedAt, old.Model = 1, t0, "VVX 300"
	h.DeviceChanged(old)
	want(t, h.one(d.ID).Model, "VVX 450")
	h.Observe(phone.Event{Kind: phone.EventFile, MAC: d.MAC, Outcome: "ok", Revision: 2, Source: "10.0.0.5:1"})
	want(t, len(h.one(d.ID).Drift), 0)
}

// Somebody with the password of one extension writes another phone's MAC into
// his User-Agent: the phone does not look registered by it, nor changes its face.
func TestClaimedMAC(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101")
	h.DeviceChanged(d)
	h.register(contactOf("666", "203.0.113.9", ua("PolycomVVX-VVX_450-UA/0.0.1_"+d.MAC.Hex())))
	p := h.one(d.ID)
	want(t, p.Registered, false)
	want(t, p.State, StateExpected)
	want(t, p.IPAddress, "")
	want(t, len(p.Drift), 1)
	want(t, h.Contacts("666")[0].PhoneID, d.ID)
	h.check(t)
}

func TestLinesChangeUnderAContact(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101", "102")
	h.DeviceChanged(d)
	b := contactOf("102", "10.0.0.5", as("l1_2"), ua(vvx450))
	h.register(b)
	d.Lines = []phone.Line{{Number: 1, Extension: "103", AuthUser: "l1_1"}}
	d.Revision, d.UpdatedAt = 2, t0.Add(time.Minute)
	h.DeviceChanged(d)
	want(t, h.one(d.ID).Registered, false)
	want(t, h.Stats().Total, 2) // the contact is a phone of its own now
	h.check(t)
	d.Lines = append(d.Lines, phone.Line{Number: 2, Extension: "102", AuthUser: "l1_2"})
	d.Revision++
	h.DeviceChanged(d)
	want(t, h.only(Filter{}).Registered, true)
	h.check(t)
}

func TestReplacedMAC(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101")
	h.DeviceChanged(d)
	b := contactOf("101", "10.0.0.5", as("l1_1"), ua(vvx450))
	h.register(b)
	h.expire(b)
	d.MAC, d.Revision = sample(9, phone.Polycom, "").MAC, 2
	h.DeviceChanged(d)
	p := h.one(d.ID)
	want(t, p.State, StateExpected)
	want(t, p.UserAgent, "")
	want(t, h.only(Filter{MAC: &d.MAC}).ID, d.ID)
	h.check(t)
}

// The user minted for a line still registers the extension the line had before.
func TestLineMovesToAnotherExtension(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101")
	h.DeviceChanged(d)
	h.register(contactOf("101", "10.0.0.5", as("l1_1"), ua(vvx450)))
	d.Lines[0].Extension, d.Revision = "102", 2
	h.DeviceChanged(d)
	p := h.only(Filter{})
	want(t, p.Registered, false)
	want(t, p.MatchedBy, RuleSIPUser)
	want(t, h.only(Filter{DriftKind: "extension"}).ID, d.ID)
	h.check(t)
}
