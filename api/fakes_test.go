package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/feed"
	"pbx.dev/dialtone/internal/history"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/registrar/location"
)

// The fakes hold a fixed cast; the zero fake is empty; with err set it is
// broken. Nothing in them validates: what the edge lets through shows.

var (
	noon    = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	deskMAC = phone.MAC{0x00, 0x04, 0xf2, 0xab, 0xcd, 0xef}
)

const (
	adminKey = "do_live_admin"
	readKey  = "do_live_reader"
	oldKey   = "do_live_expired"
)

type fakeRoster struct {
	phones    []roster.Phone
	contacts  []roster.Contact
	filter    roster.Filter
	cursor    string
	limit     int
	forgotten []string
	err       error
}

func (f *fakeRoster) List(filter roster.Filter, cursor string, limit int) ([]roster.Phone, string, error) {
	f.filter, f.cursor, f.limit = filter, cursor, limit
	if len(f.phones) > limit {
		return f.phones[:limit], "more", f.err
	}
	return f.phones, "", f.err
}

func (f *fakeRoster) Stats() roster.Stats {
	return roster.Stats{Total: 4, Registered: 3, Unregistered: 1, ByType: roster.ByType{Hardware: 2, WebRTC: 1, Mobile: 1}}
}

func (f *fakeRoster) Tally() roster.Tally {
	return roster.Tally{
		ByState:  []roster.Count{{Name: roster.StateRegistered, Phones: 3}, {Name: roster.StatePending, Phones: 1}},
		ByVendor: []roster.Count{{Name: "Yealink", Phones: 2}}, Drifted: 1,
	}
}

func (f *fakeRoster) Phone(id string) (roster.Phone, bool) {
	i := slices.IndexFunc(f.phones, func(p roster.Phone) bool { return p.ID == id })
	if i < 0 {
		return roster.Phone{}, false
	}
	return f.phones[i], true
}

func (f *fakeRoster) Contacts(string) []roster.Contact { return f.contacts }

func (f *fakeRoster) Forget(_ context.Context, id string) error {
	f.forgotten = append(f.forgotten, id)
	return f.err
}

type fakeDevices struct {
	devices map[string]phone.Device
	err     error
}

func (f *fakeDevices) CreateDevice(_ context.Context, d phone.Device) (phone.Device, error) {
	d.ID, d.Revision = "phone_new", 1
	for i := range d.Lines {
		d.Lines[i].AuthUser, d.Lines[i].Secret = "minted", phone.NewSecret("hush-line")
	}
	return d, f.err
}

func (f *fakeDevices) Device(_ context.Context, id string) (phone.Device, error) {
	d, ok := f.devices[id]
	if !ok && f.err == nil {
		return d, phone.ErrNotFound
	}
	return d.Clone(), f.err
}

func (f *fakeDevices) UpdateDevice(ctx context.Context, id string, change func(*phone.Device) error) (phone.Device, error) {
	d, err := f.Device(ctx, id)
	if err != nil {
		return d, err
	}
	if err := change(&d); err != nil {
		return phone.Device{}, err
	}
	f.devices[id] = d
	return d, nil
}

func (f *fakeDevices) DeleteDevice(ctx context.Context, id string, check func(phone.Device) error) error {
	d, err := f.Device(ctx, id)
	if err == nil {
		err = check(d)
	}
	if err == nil {
		delete(f.devices, id)
	}
	return err
}

type fakeExtensions struct {
	extensions []phone.Extension
	err        error
}

func (f *fakeExtensions) CreateExtension(_ context.Context, e phone.Extension) (phone.Extension, error) {
	if e.SIPUsername == "" {
		e.SIPUsername, e.Password = e.Number+"_a1b2c3", phone.NewSecret("hush-created")
	}
	e.CreatedAt, e.UpdatedAt = noon, noon
	return e, f.err
}

func (f *fakeExtensions) Extension(_ context.Context, number string) (phone.Extension, error) {
	for _, e := range f.extensions {
		if e.Number == number {
			return e, f.err
		}
	}
	if f.err != nil {
		return phone.Extension{}, f.err
	}
	return phone.Extension{}, phone.ErrNotFound
}

func (f *fakeExtensions) Extensions(_ context.Context, after string, limit int) ([]phone.Extension, error) {
	var page []phone.Extension
	for _, e := range f.extensions {
		if e.Number > after && len(page) < limit {
			page = append(page, e)
		}
	}
	return page, f.err
}

func (f *fakeExtensions) FindExtensions(ctx context.Context, q, after string, limit int) ([]phone.Extension, error) {
	all, err := f.Extensions(ctx, after, 1000)
	all = slices.DeleteFunc(all, func(e phone.Extension) bool { return !strings.Contains(e.Number+e.Name, q) })
	return all[:min(limit, len(all))], err
}

func (f *fakeExtensions) UpdateExtension(ctx context.Context, number string, change func(*phone.Extension) error) (phone.Extension, error) {
	e, err := f.Extension(ctx, number)
	if err != nil {
		return e, err
	}
	return e, change(&e)
}

func (f *fakeExtensions) DeleteExtension(ctx context.Context, number string, check func(phone.Extension) error) error {
	e, err := f.Extension(ctx, number)
	if err != nil {
		return err
	}
	return check(e)
}

func (f *fakeExtensions) RotateCredentials(ctx context.Context, number string, _ bool) (phone.Extension, error) {
	e, err := f.Extension(ctx, number)
	e.SIPUsername, e.Password = number+"_d4e5f6", phone.NewSecret("hush-rotated")
	return e, err
}

func (f *fakeExtensions) RotateDevice(_ context.Context, id string, _ bool) (phone.Device, error) {
	if id != "phone_desk" {
		return phone.Device{}, phone.ErrNotFound
	}
	return castDevice(), f.err
}

func (f *fakeDevices) IssueTokens(ctx context.Context, id string) (phone.Device, phone.Secret, error) {
	d, err := f.Device(ctx, id)
	d.Tokens.EnrollExpires = noon.Add(time.Hour)
	return d, phone.NewSecret("enrollaaaaaaaaaaaaaaaaaaaa"), err
}

func (f *fakeDevices) RevokeTokens(ctx context.Context, id string) error {
	_, err := f.Device(ctx, id)
	return err
}

// fakeDesk has an open window and a phone that shows 123456.
type fakeDesk struct{}

func (fakeDesk) Claimed(code string) (phone.MAC, error) {
	if code != "123456" {
		return phone.MAC{}, phone.ErrNotFound
	}
	return phone.MAC{0x80, 0x5e, 0xc0, 0, 0, 9}, nil
}

func (fakeDesk) Adopted(phone.Device, string) {}

func (fakeDesk) OpenEnrollment(_ context.Context, e phone.Enrollment) (phone.Enrollment, error) {
	e.ID, e.OpenedAt = "enroll_new", noon
	return e, nil
}

func (fakeDesk) Enrollment(context.Context) (phone.Enrollment, error) {
	return phone.Enrollment{ID: "enroll_x", Auto: true, Phones: 5, Taken: 2, OpenedAt: noon, ClosesAt: noon.Add(time.Hour)}, nil
}

func (fakeDesk) CloseEnrollment(context.Context) error { return nil }

type fakeKeys struct {
	keys  []phone.APIKey
	asked int
	err   error
}

func (f *fakeKeys) CreateKey(_ context.Context, name string, scopes []string, expires time.Time) (phone.APIKey, phone.Secret, error) {
	return phone.APIKey{ID: "key_new", Name: name, Scopes: scopes, CreatedAt: noon, ExpiresAt: expires}, phone.NewSecret("do_live_new"), f.err
}

func (f *fakeKeys) KeyByText(_ context.Context, text string) (phone.APIKey, error) {
	f.asked++
	for _, k := range f.keys {
		if k.Hash == sha256.Sum256([]byte(text)) {
			return k, f.err
		}
	}
	if f.err != nil {
		return phone.APIKey{}, f.err
	}
	return phone.APIKey{}, phone.ErrNotFound
}

func (f *fakeKeys) Keys(context.Context) ([]phone.APIKey, error) { return slices.Clone(f.keys), f.err }

func (f *fakeKeys) RevokeKey(_ context.Context, id string) error {
	if slices.ContainsFunc(f.keys, func(k phone.APIKey) bool { return k.ID == id }) {
		return f.err
	}
	return phone.ErrNotFound
}

type fakeTimeline struct {
	events []phone.Event
	err    error
}

func (f *fakeTimeline) Events(_ context.Context, _ string, _ phone.MAC, limit int) ([]phone.Event, error) {
	return f.events[:min(limit, len(f.events))], f.err
}

type fakeFiles struct{ err error }

func (fakeFiles) Names(d phone.Device) []string {
	return []string{d.MAC.Hex() + ".cfg", d.MAC.Hex() + "-account.cfg"}
}

func (f fakeFiles) Preview(_ context.Context, d phone.Device, file string) ([]byte, string, error) {
	if f.err == nil && !strings.HasPrefix(file, d.MAC.Hex()) {
		return nil, "", phone.ErrNotFound
	}
	return []byte("<APPLICATION password=\"[redacted]\"/>\n"), "text/xml", f.err
}

func (f fakeFiles) Explain(ctx context.Context, d phone.Device, file string) ([]phone.FileLine, error) {
	body, _, err := f.Preview(ctx, d, file)
	return []phone.FileLine{{Text: strings.TrimSuffix(string(body), "\n"), Layer: "global", Template: "yealink-phone", Line: 3, Settings: []string{"ntp"}}}, err
}

// house is one set of fakes.
type house struct {
	roster     *fakeRoster
	devices    *fakeDevices
	extensions *fakeExtensions
	keys       *fakeKeys
	timeline   *fakeTimeline
	files      *fakeFiles
	jobs       *fakeJobs
	feed       *feed.Feed
}

// fixed is the house with the cast in it.
func fixed() *house {
	return &house{
		roster:  &fakeRoster{phones: castPhones(), contacts: castContacts()},
		devices: &fakeDevices{devices: map[string]phone.Device{"phone_desk": castDevice()}},
		extensions: &fakeExtensions{extensions: []phone.Extension{
			{Number: "101", Name: "Front Desk", SIPUsername: "101_a1b2c3", Password: phone.NewSecret("hush-101"), CreatedAt: noon, UpdatedAt: noon},
			{Number: "102", SIPUsername: "102_b2c3d4", Password: phone.NewSecret("hush-102"), CreatedAt: noon, UpdatedAt: noon},
			{Number: "*9#", Name: "Door", SIPUsername: "door_c3d4e5", Password: phone.NewSecret("hush-door"), CreatedAt: noon, UpdatedAt: noon},
		}},
		keys: &fakeKeys{keys: castKeys()},
		timeline: &fakeTimeline{events: []phone.Event{
			{ID: 3, At: noon.Add(time.Minute), Kind: phone.EventRegister, MAC: deskMAC, DeviceID: "phone_desk", Proto: "udp", Outcome: "ok", Status: 200, Source: "192.0.2.10:5060"},
			{ID: 2, At: noon, Kind: phone.EventFile, MAC: deskMAC, DeviceID: "phone_desk", Proto: "http", Path: "/0004f2abcdef.cfg", Outcome: "ok", Status: 200, Bytes: 512, Millis: 3, Revision: 7},
		}},
		files: &fakeFiles{},
		jobs:  newFakeJobs(),
		feed:  newFeed(16),
	}
}

// empty is the house with nothing but the keys.
func empty() *house {
	return &house{
		roster: &fakeRoster{}, devices: &fakeDevices{}, extensions: &fakeExtensions{},
		keys: &fakeKeys{keys: castKeys()}, timeline: &fakeTimeline{}, files: &fakeFiles{}, jobs: newFakeJobs(), feed: newFeed(16),
	}
}

// broken is the house whose stores all fail, but for the keys.
func broken() *house {
	h, err := fixed(), errors.New("dial tcp 10.0.0.5:5432: secret driver text")
	h.roster.err, h.devices.err, h.extensions.err, h.timeline.err, h.files.err = err, err, err, err, err
	return h
}

func (h *house) options() Options {
	return Options{
		Claims: fakeDesk{}, Enrollment: fakeDesk{}, Bans: func() []Ban {
			return []Ban{{Source: "203.0.113.9", Reason: "scan", Since: noon, Until: noon.Add(10 * time.Minute)}}
		},
		Pardon: func(source string) error {
			if source != "203.0.113.9" {
				return phone.ErrNotFound
			}
			return nil
		},
		Support: func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, "a bundle")
			return err
		},
		History: func(while time.Duration) ([]history.Point, time.Duration) {
			return []history.Point{{At: noon.Add(-while), Phones: 5, Registered: 4, Outcomes: map[string]int{"ok": 3}}}, time.Minute
		},
		DHCPServers: func() ([]DHCPServer, bool) {
			return []DHCPServer{{Address: "192.0.2.3", Interface: "eth0", FirstSeen: noon, LastSeen: noon.Add(time.Minute), Replies: 2, Options: map[string]string{"66": "old-pbx.example"}, Problem: "it tells phones elsewhere"}}, true
		},
		Auditor: noAudit{}, Feed: h.feed, Jobs: h.jobs, JobRunner: h.jobs, Replacer: h.devices, Imports: noImports{},
		Tokens: h.devices, TokenURL: func(t phone.Secret) phone.Secret { return phone.NewSecret("http://192.0.2.1/p/" + t.Reveal() + "/") },
		Roster: h.roster, Devices: h.devices, Extensions: h.extensions, Credentials: h.extensions,
		Keys: h.keys, Layers: noLayers{}, Timeline: h.timeline, Files: h.files, Uploads: noUploads{}, Firmware: noFirmware{}, FirmwareTargets: noFirmware{}, Templates: noTemplates{}, VendorOf: vendorOfTest,
		Now: func() time.Time { return noon },
	}
}

func vendorOfTest(m phone.MAC) (phone.Vendor, bool) {
	switch [3]byte(m[:3]) {
	case [3]byte{0x00, 0x04, 0xf2}:
		return phone.Polycom, true
	case [3]byte{0x80, 0x5e, 0xc0}:
		return phone.Yealink, true
	case [3]byte{0x00, 0x04, 0x13}:
		return "snom", true
	}
	return "", false
}

func castPhones() []roster.Phone {
	return []roster.Phone{
		{
			ID: "phone_desk", Provisioned: true, Extension: "101", ExtensionName: "Front Desk", DeviceType: "hardware",
			Manufacturer: "Polycom", Model: "VVX 450", MAC: deskMAC, IPAddress: "192.0.2.10", Registered: true,
			LastRegistered: noon.Add(1234567 * time.Nanosecond), UserAgent: "PolycomVVX-VVX_450-UA/5.9.7.4477",
			Firmware: "5.9.7.4477", State: "registered",
			Lines:     []roster.Line{{Line: 1, ExtensionNumber: "101", Registered: true, AuthUser: "desk_1"}},
			MatchedBy: "credential", Drift: []string{"model: the phone reports VVX 411, it is provisioned as VVX 450"}, LastProvisioned: noon,
		},
		{ID: "phone_seen", Extension: "102", DeviceType: "webrtc", State: "unregistered", UserAgent: "JsSIP 3.10.0"},
	}
}

func castContacts() []roster.Contact {
	return []roster.Contact{{
		PhoneID: "phone_desk",
		Binding: location.Binding{
			Contact: "sip:101@192.0.2.10:5060;transport=udp", Received: "192.0.2.10:5060", Transport: "udp",
			UserAgent: "PolycomVVX-VVX_450-UA/5.9.7.4477", ExpiresAt: noon.Add(time.Hour),
		},
	}}
}

func castDevice() phone.Device {
	return phone.Device{
		ID: "phone_desk", MAC: deskMAC, Vendor: phone.Polycom, Model: "VVX 450", Name: "Reception", Site: "Ground floor",
		Lines: []phone.Line{{
			Number: 1, Extension: "101", AuthUser: "desk_1", Secret: phone.NewSecret("hush-desk"),
			DisplayName: "Front Desk", Label: "Desk",
		}},
		Settings: map[string]string{"device.auth.localAdminPassword": "hush-setting", "up.oneTouchVoiceMail": "1"}, Revision: 7,
	}
}

func castKeys() []phone.APIKey {
	return []phone.APIKey{
		{ID: "key_admin", Name: "admin", Hash: sha256.Sum256([]byte(adminKey)), Scopes: Scopes(), CreatedAt: noon},
		{ID: "key_reader", Name: "reader", Hash: sha256.Sum256([]byte(readKey)), Scopes: []string{phonesRead}, CreatedAt: noon, LastUsed: noon},
		{ID: "key_expired", Hash: sha256.Sum256([]byte(oldKey)), Scopes: Scopes(), CreatedAt: noon.Add(-time.Hour), ExpiresAt: noon},
	}
}

// noLayers is a store without layers of settings.
type noLayers struct{}

func (noLayers) Layers(context.Context) ([]phone.Layer, int64, error) { return nil, 0, nil }

func (noLayers) Layer(context.Context, string, string) (phone.Layer, error) {
	return phone.Layer{}, phone.ErrNotFound
}

func (noLayers) PutLayer(_ context.Context, scope, name string, change func(*phone.Layer) error, _ phone.Affects) (phone.Layer, error) {
	l := phone.Layer{Scope: scope, Name: name}
	if err := change(&l); err != nil {
		return l, err
	}
	return l, nil
}

func (noLayers) DeleteLayer(context.Context, string, string, phone.Check[phone.Layer], phone.Affects) error {
	return phone.ErrNotFound
}

// newFeed is a feed that begins at noon.
func newFeed(size int) *feed.Feed {
	return feed.New(feed.Options{Size: size, PositionAt: time.Time.UnixMicro, Now: func() time.Time { return noon }})
}
