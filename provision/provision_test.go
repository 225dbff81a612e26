package provision

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// shelf is an inventory of fixed devices; err stands for one that is down.
type shelf struct {
	devices map[phone.MAC]phone.Device
	asked   int
	err     error
}

func (s *shelf) DeviceByMAC(_ context.Context, mac phone.MAC) (phone.Device, error) {
	s.asked++
	if s.err != nil {
		return phone.Device{}, s.err
	}
	d, ok := s.devices[mac]
	if !ok {
		return phone.Device{}, fmt.Errorf("device %s: %w", mac, phone.ErrNotFound)
	}
	return d.Clone(), nil
}

func device(v phone.Vendor, mac phone.MAC) phone.Device {
	return phone.Device{
		ID: "phone_" + string(v), MAC: mac, Vendor: v, Revision: 7,
		Lines: []phone.Line{{
			Number: 1, Extension: "101", AuthUser: "101_a1b2c3", Secret: phone.NewSecret("line-secret"), DisplayName: "Front Desk", Label: "Desk",
		}},
	}
}

type bench struct {
	*Service
	shelf   *shelf
	facts   Facts
	live    *templates.Live
	events  []phone.Event
	unknown []UnknownPhone
}

var lan = netip.MustParseAddrPort("192.0.2.77:40000")

func newBench(t testing.TB, change func(*Options)) *bench {
	t.Helper()
	b := &bench{live: templates.NewLive(libraryOf(templates.Builtin()))}
	b.shelf = &shelf{devices: map[phone.MAC]phone.Device{
		polyMAC: device(phone.Polycom, polyMAC), yeaMAC: device(phone.Yealink, yeaMAC), gsMAC: device(phone.Grandstream, gsMAC),
	}}
	b.facts = Facts{
		SIPServer: "sip.pbx.dev", SIPDomain: "pbx.dev", SIPPort: 5060, SIPTransport: "udp", OutboundProxy: "192.0.2.10:5060",
		NTP: "pool.ntp.org", TimeZone: "Europe/Paris", BaseURL: "http://192.0.2.10:8081/", AdminPassword: phone.NewSecret("admin-secret"),
	}
	uaMAC := regexp.MustCompile(`[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}`)
	o := Options{
		Inventory: b.shelf, Renderer: b.live, Facts: func() Facts { return b.facts },
		Firmware: fstest.MapFS{"sip.ld": {Data: []byte("firmware image"), ModTime: time.Unix(1e9, 0)}, "sub/x.ld": {}, "dir.ld/x": {}},
		Recorder: func(e phone.Event) { b.events = append(b.events, e) },
		Unknown:  func(u UnknownPhone) { b.unknown = append(b.unknown, u) },
		VendorOf: func(m phone.MAC) (phone.Vendor, bool) { return phone.Yealink, m[0] == 0x80 },
		MACOf: func(ua string) (phone.MAC, bool) {
			m, err := phone.ParseMAC(uaMAC.FindString(ua))
			return m, err == nil
		},
		LAN:        []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("fe80::/10")},
		Now:        func() time.Time { return time.Unix(1_800_000_000, 0) },
		Registerer: prometheus.NewRegistry(),
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Service = s
	return b
}

func (b *bench) fetch(path string) (string, File, error) {
	return b.fetchAs(Request{Path: path, Proto: "http", Method: "GET", Source: lan})
}

func (b *bench) fetchAs(r Request) (string, File, error) {
	f, err := b.Get(context.Background(), r)
	if err != nil {
		f.Done(404, 0, nil)
		return "", f, err
	}
	text, err := io.ReadAll(f.Body)
	f.Done(200, int64(len(text)), err)
	return string(text), f, errors.Join(err, f.Close())
}

// Each vendor's files come in the order of request, in any case of the MAC.
func TestFilesOfEachVendor(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for path, want := range map[string]struct{ media, holds string }{
		"/0004f2abcdef.cfg":           {"text/xml", `CONFIG_FILES="0004f2abcdef-dialtone.cfg"`},
		"/0004F2ABCDEF.cfg":           {"text/xml", `<APPLICATION `},
		"//0004F2ABCDEF-dialtone.cfg": {"text/xml", `reg.1.auth.password="line-secret"`},
		"/000000000000.cfg":           {"text/xml", `CONFIG_FILES="dialtone-common.cfg"`},
		"/dialtone-common.cfg":        {"text/xml", `tcpIpApp.sntp.address="pool.ntp.org"`},
		"/805ec0aabbcc.boot":          {"text/plain", `include:config "805ec0aabbcc.cfg"`},
		"/Y000000000000.boot":         {"text/plain", "#!version:1.0.0.1\n"},
		"/y000000000066.cfg":          {"text/plain", "local_time.time_zone = +1\n"},
		"/80:5e:c0:AA:BB:CC.cfg":      {"text/plain", "account.1.password = line-secret\n"},
		"/cfg000b82123456.xml":        {"text/xml", "<P34>line-secret</P34>"},
		"/CFG000B82123456":            {"application/octet-stream", "&P34=line-secret&"},
		"/cfggxp2170.xml":             {"text/xml", "<P30>pool.ntp.org</P30>"},
		"/cfg.xml":                    {"text/xml", "<P30>pool.ntp.org</P30>"},
		"/sip.ld":                     {"application/octet-stream", "firmware image"},
		"/SIP.LD":                     {"application/octet-stream", "firmware image"},
	} {
		text, f, err := b.fetch(path)
		if err != nil || f.ContentType != want.media || !strings.Contains(text, want.holds) {
			t.Errorf("%s: %v, %s, no %q in:\n%s", path, err, f.ContentType, want.holds, text)
		}
		if f.Size != int64(len(text)) || !strings.HasPrefix(f.ETag, `"`) {
			t.Errorf("%s: size %d of %d, ETag %s", path, f.Size, len(text), f.ETag)
		}
		if strings.Contains(path, "common") || strings.Contains(path, "y0000") || strings.Contains(path, "cfg.xml") {
			if strings.Contains(text, "-secret") {
				t.Errorf("%s holds a secret:\n%s", path, text)
			}
		}
	}
}

// The files that a master or boot file names can be fetched.
func TestNamedFilesExist(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	name := regexp.MustCompile(`(?:CONFIG_FILES="|include:config ")([^"]+)"`)
	n := 0
	for _, path := range []string{"/0004f2abcdef.cfg", "/000000000000.cfg", "/805ec0aabbcc.boot", "/y000000000000.boot"} {
		text, _, err := b.fetch(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range name.FindAllStringSubmatch(text, -1) {
			n++
			if _, _, err := b.fetch("/" + m[1]); err != nil {
				t.Errorf("%s names %s: %v", path, m[1], err)
			}
		}
	}
	if n != 5 {
		t.Errorf("%d files are named, want 5", n)
	}
	for mac, d := range b.shelf.devices {
		for _, file := range Names(d) {
			if _, _, err := b.fetch(file); err != nil {
				t.Errorf("%s of %s: %v", file, mac, err)
			}
		}
	}
}

// Whatever a phone may not have is one and the same error.
func TestRefusalsAreAlike(t *testing.T) {
	t.Parallel()
	stranger := netip.MustParseAddrPort("203.0.113.9:5000")
	for name, tt := range map[string]struct {
		req     Request
		secrets Assurance
		outcome string
	}{
		"unknown phone":         {Request{Path: "/0004f2000001.cfg", Source: lan}, "", "not-found"},
		"unknown file":          {Request{Path: "/nothing.html", Source: lan}, "", "not-found"},
		"traversal":             {Request{Path: "/../../etc/passwd", Source: lan}, "", "not-found"},
		"file not kept":         {Request{Path: "/0004f2abcdef-web.cfg", Source: lan}, "", "not-found"},
		"directory not kept":    {Request{Path: "/phonebook.xml", Source: lan}, "", "not-found"},
		"another vendor's file": {Request{Path: "/cfg0004f2abcdef.xml", Source: lan}, "", "not-found"},
		"another vendor's boot": {Request{Path: "/0004f2abcdef.boot", Source: lan}, "", "not-found"},
		"no such firmware":      {Request{Path: "/x.rom", Source: lan}, "", "not-found"},
		"a folder":              {Request{Path: "/dir.ld", Source: lan}, "", "not-found"},
		"not in the LAN":        {Request{Path: "/0004f2abcdef-dialtone.cfg", Source: stranger}, "", "denied"},
		"master, not in LAN":    {Request{Path: "/0004f2abcdef.cfg", Source: stranger}, "", "denied"},
		"unknown, not in LAN":   {Request{Path: "/0004f2000001.cfg", Source: stranger}, "", "denied"},
		"another UA":            {Request{Path: "/805ec0aabbcc.cfg", Source: lan, UserAgent: "Yealink SIP-T46S 66.86.0.15 80:5e:c0:aa:bb:cd"}, "", "denied"},
		"another certificate":   {Request{Path: "/805ec0aabbcc.cfg", Source: lan, ClientMAC: polyMAC}, AssureMAC, "denied"},
		"token path":            {Request{Path: "/p/guess/805ec0aabbcc.cfg", Source: lan}, AssureMAC, "denied"},
		"token beside the path": {Request{Path: "/805ec0aabbcc.cfg", Source: lan, Token: "guess"}, AssureMAC, "denied"},
		"token asked for":       {Request{Path: "/805ec0aabbcc.cfg", Source: lan}, AssureToken, "denied"},
		"certificate asked for": {Request{Path: "/805ec0aabbcc.cfg", Source: lan}, AssureMTLS, "denied"},
		"no address":            {Request{Path: "/805ec0aabbcc.cfg"}, "", "denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(o *Options) { o.Secrets = tt.secrets })
			_, f, err := b.fetchAs(tt.req)
			if err != phone.ErrNotFound { //nolint:errorlint // the very same error
				t.Errorf("error is %v", err)
			}
			if f.Body != nil || f.ETag != "" || f.Name != "" || f.Size != 0 {
				t.Errorf("file is %+v", f)
			}
			if len(b.events) != 1 || b.events[0].Outcome != tt.outcome || b.events[0].Detail == "" {
				t.Errorf("events: %+v", b.events)
			}
			if tt.outcome == "denied" && tt.req.Source != lan && b.shelf.asked != 0 {
				t.Error("the inventory was asked before the assurance was")
			}
		})
	}
}

func TestEnoughAssurance(t *testing.T) {
	t.Parallel()
	stranger := netip.MustParseAddrPort("203.0.113.9:5000")
	for name, tt := range map[string]struct {
		secrets Assurance
		req     Request
	}{
		"mac from anywhere":        {AssureMAC, Request{Source: stranger}},
		"lan":                      {AssureLAN, Request{Source: lan}},
		"lan, mapped IPv4":         {AssureLAN, Request{Source: netip.MustParseAddrPort("[::ffff:192.0.2.77]:1")}},
		"lan, link local":          {AssureLAN, Request{Source: netip.MustParseAddrPort("[fe80::1%eth0]:1")}},
		"UA agrees":                {AssureLAN, Request{Source: lan, UserAgent: "Yealink SIP-T46S 66.86.0.15 80:5E:C0:AA:BB:CC"}},
		"certificate over lan":     {AssureLAN, Request{Source: stranger, ClientMAC: yeaMAC}},
		"certificate over token":   {AssureToken, Request{Source: stranger, ClientMAC: yeaMAC}},
		"certificate is asked for": {AssureMTLS, Request{Source: stranger, ClientMAC: yeaMAC}},
	} {
		b := newBench(t, func(o *Options) { o.Secrets = tt.secrets })
		tt.req.Path = "/805ec0aabbcc.cfg"
		if _, _, err := b.fetchAs(tt.req); err != nil {
			t.Errorf("%s: %v (%+v)", name, err, b.events)
		}
	}
	if _, err := New(Options{Inventory: &shelf{}, Renderer: templates.Builtin(), Facts: func() Facts { return Facts{} }, Secrets: "none"}); !errors.Is(err, phone.ErrInvalid) {
		t.Errorf("New takes an assurance that is none: %v", err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("New takes nothing at all")
	}
}

func TestUnknownPhones(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, r := range []Request{
		{Path: "/805ec0000001.cfg", Proto: "tftp", Source: lan, UserAgent: "Yealink\x00 SIP-T46S 66.86.0.15 80:5e:c0:00:00:01"},
		{Path: "/000b82000001.boot", Proto: "http", Source: lan},
		{Path: "/805ec0000002.cfg", Source: netip.MustParseAddrPort("203.0.113.9:5000")},
		{Path: "/y000000000000.cfg", Source: lan},
		{Path: "/805ec0000003.cfg", Source: lan, UserAgent: "Yealink SIP-T46S 66.86.0.15 80:5e:c0:00:00:01"},
	} {
		_, _, _ = b.fetchAs(r)
	}
	want := []UnknownPhone{
		{
			MAC: phone.MAC{0x80, 0x5e, 0xc0, 0, 0, 1}, Vendor: phone.Yealink, Name: "805ec0000001.cfg", Proto: "tftp",
			UserAgent: "Yealink SIP-T46S 66.86.0.15 80:5e:c0:00:00:01", Source: lan, At: b.now(),
		},
		{MAC: phone.MAC{0x00, 0x0b, 0x82, 0, 0, 1}, Vendor: phone.Yealink, Name: "000b82000001.boot", Proto: "http", Source: lan, At: b.now()},
	}
	if diff := cmp.Diff(want, b.unknown, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("unknown phones (-want +got):\n%s", diff)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	text, _, err := b.fetchAs(Request{Path: "//805EC0AABBCC.cfg", Proto: "http", Source: lan, UserAgent: "Yealink SIP-T46S 66.86.0.15 80:5e:c0:aa:bb:cc"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, _ = b.fetchAs(Request{Path: "/y000000000066.cfg", Proto: "tftp", Source: lan, UserAgent: "Yealink SIP-T46S 66.86.0.15 80:5e:c0:aa:bb:cc"})
	_, _, _ = b.fetchAs(Request{Path: "/p/s3cret/805ec0aabbcc.cfg", Proto: "https", Source: lan})
	_, _, _ = b.fetchAs(Request{Path: "/x/p/s3cret/nothing\x1b[31m", Proto: "gopher", Source: lan})
	f, err := b.Get(t.Context(), Request{Path: "/805ec0aabbcc.boot", Proto: "tftp", Source: lan})
	if err != nil {
		t.Fatal(err)
	}
	f.Done(0, 3, errors.New("no answer"))
	if len(b.events) != 5 {
		t.Fatalf("%d events", len(b.events))
	}
	want := phone.Event{
		At: b.now(), Kind: phone.EventFile, MAC: yeaMAC, DeviceID: "phone_yealink", Proto: "http", Path: "805ec0aabbcc.cfg",
		Outcome: "ok", Status: 200, Bytes: int64(len(text)), Revision: 7,
		UserAgent: "Yealink SIP-T46S 66.86.0.15 80:5e:c0:aa:bb:cc", Source: "192.0.2.77:40000",
	}
	if diff := cmp.Diff(want, b.events[0]); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if e := b.events[1]; e.MAC != yeaMAC || e.DeviceID != "" || e.Outcome != "ok" {
		t.Errorf("common file: %+v", e)
	}
	for _, e := range b.events[2:4] {
		if s := fmt.Sprintf("%+v", e); strings.Contains(s, "s3cret") || strings.Contains(s, "\x1b") {
			t.Errorf("event shows too much: %s", s)
		}
	}
	if e := b.events[4]; e.Outcome != "aborted" || !strings.Contains(e.Detail, "no answer") || e.Bytes != 3 {
		t.Errorf("broken transfer: %+v", e)
	}
	for labels, n := range map[[3]string]float64{
		{"yealink", "http", "ok"}: 1, {"yealink", "tftp", "ok"}: 1, {"none", "https", "denied"}: 1, {"none", "other", "not-found"}: 1, {"yealink", "tftp", "aborted"}: 1,
	} {
		if got := testutil.ToFloat64(b.metrics.fetches.WithLabelValues(labels[:]...)); got != n {
			t.Errorf("fetches %v: %v, want %v", labels, got, n)
		}
	}
}

// A file stays the same, byte for byte, until something that it depends on changes.
func TestCache(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	etag := func() string {
		_, f, err := b.fetch("/805ec0aabbcc.cfg")
		if err != nil {
			t.Fatal(err)
		}
		return f.ETag
	}
	first := etag()
	if again := etag(); again != first {
		t.Errorf("ETag went from %s to %s", first, again)
	}
	if hits := testutil.ToFloat64(b.metrics.cache.WithLabelValues("hit")); hits != 1 {
		t.Errorf("%v hits", hits)
	}
	seen := map[string]string{first: "at first"}
	for _, change := range []struct {
		what string
		do   func()
	}{
		{"device", func() {
			d := b.shelf.devices[yeaMAC]
			d.Revision++
			d.Lines[0].Label = "New"
			b.shelf.devices[yeaMAC] = d
		}},
		{"facts", func() { b.facts.NTP = "ntp.pbx.dev" }},
		{"secret", func() { b.facts.AdminPassword = phone.NewSecret("other") }},
		{"templates", func() {
			set, err := b.live.Library().Base().Overlay(fstest.MapFS{"yealink/phone.tmpl": {Data: []byte("#!version:1.0.0.1\n# {{.MAC.Hex}}\n")}})
			if err != nil {
				t.Fatal(err)
			}
			b.live.Swap(libraryOf(set))
		}},
	} {
		change.do()
		e := etag()
		if was, ok := seen[e]; ok {
			t.Errorf("after a change of the %s the file is that of %s", change.what, was)
		}
		seen[e] = "the " + change.what
		if e != etag() {
			t.Errorf("%s: the file is not stable", change.what)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newCache(10 * (1000 + overhead))
	for i := range 100 {
		c.put(cacheKey{mac: phone.MAC{5: byte(i)}}, entry{body: make([]byte, 1000)})
		c.put(cacheKey{mac: phone.MAC{5: byte(i)}}, entry{body: make([]byte, 1000)})
		c.get(cacheKey{}) // the first stays in use
	}
	if n := len(c.items); n != 10 || c.order.Len() != 10 || c.bytes != c.limit {
		t.Errorf("%d entries, %d in order, %d bytes", n, c.order.Len(), c.bytes)
	}
	if _, ok := c.get(cacheKey{}); !ok {
		t.Error("the entry in use is gone")
	}
	c.put(cacheKey{mac: phone.MAC{0: 1}}, entry{body: make([]byte, 1<<20)})
	if c.bytes > c.limit || c.bytes < 0 {
		t.Errorf("%d bytes after one too large", c.bytes)
	}
}

// While the store is down phones keep getting what they got before.
func TestLastKnownGood(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	before, _, err := b.fetch("/805ec0aabbcc.cfg")
	if err != nil {
		t.Fatal(err)
	}
	b.shelf.err = errors.New("connection refused")
	after, _, err := b.fetch("/805ec0aabbcc.cfg")
	if err != nil || after != before {
		t.Errorf("%v, %q", err, after)
	}
	if e := b.events[1]; e.Outcome != "ok" || e.DeviceID != "phone_yealink" || e.Revision != 7 || e.Detail == "" {
		t.Errorf("event: %+v", e)
	}
	if _, _, err := b.fetch("/0004f2abcdef.cfg"); err == nil || errors.Is(err, phone.ErrNotFound) || b.events[2].Outcome != "error" {
		t.Errorf("a file never fetched: %v, %+v", err, b.events[2])
	}
}

func TestBrokenTemplateIsOurFault(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	set, err := b.live.Library().Base().Overlay(fstest.MapFS{"yealink/phone.tmpl": {Data: []byte("{{index .Raw \"Nonsense\"}}")}})
	if err != nil {
		t.Fatal(err)
	}
	b.live.Swap(libraryOf(set))
	_, f, err := b.fetch("/805ec0aabbcc.cfg")
	if err == nil || errors.Is(err, phone.ErrNotFound) || errors.Is(err, phone.ErrInvalid) || !strings.Contains(err.Error(), "Nonsense") {
		t.Errorf("error is %v", err)
	}
	if f.Body != nil || b.events[0].Outcome != "error" {
		t.Errorf("event: %+v", b.events[0])
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for mac, d := range b.shelf.devices {
		for _, name := range Names(d) {
			got, err := b.Preview(t.Context(), d, name)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			real, _, err := b.fetch(name)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer("line-secret", "********", "admin-secret", "********").Replace(real)
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", name, mac, diff)
			}
		}
	}
	for _, name := range []string{"805ec0aabbcd.cfg", "cfg805ec0aabbcc.xml", "sip.ld", "../x", "805ec0aabbcc-local.cfg"} {
		if _, err := b.Preview(t.Context(), b.shelf.devices[yeaMAC], name); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("Preview of %s: %v", name, err)
		}
	}
}

// The vector is a file of sipXecs (phone-facts/README.md 2.3).
func TestGrandstreamBinary(t *testing.T) {
	t.Parallel()
	got, err := grandstreamBinary(phone.MAC{0x00, 0x04, 0xf2, 0x00, 0xe0, 0x6b},
		[]byte(`<gs_provision><mac>x</mac><config><P1>A</P1></config></gs_provision>`))
	if err != nil {
		t.Fatal(err)
	}
	const head = "00000010ba480004f200e06b0d0a0d0a"
	if want := head + hex.EncodeToString([]byte("P1=A&gnkey=0b82\x00")); hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
	got, err = grandstreamBinary(gsMAC, []byte(`<c><P3>R&amp;D &lt;é&gt;%+=*.-_</P3><Px>1</Px><P>2</P></c>`))
	if err != nil || !strings.HasSuffix(string(got), "P3=R%26D+%3c%c3%a9%3e%25%2b%3d*.-_&gnkey=0b82\x00") && !strings.HasSuffix(string(got), "P3=R%26D+%3c%c3%a9%3e%25%2b%3d*.-_&gnkey=0b82") {
		t.Errorf("%v: %q", err, got)
	}
	if _, err := grandstreamBinary(gsMAC, []byte("<a><b></a>")); err == nil {
		t.Error("a broken document is packed")
	}
}

func BenchmarkGet(b *testing.B) {
	for _, path := range []string{"/0004f2abcdef-dialtone.cfg", "/805ec0aabbcc.cfg", "/cfg000b82123456.xml"} {
		for _, cached := range []bool{true, false} {
			s := newBench(b, func(o *Options) {
				o.Recorder, o.MACOf = nil, nil
				if !cached {
					o.CacheBytes = 1
				}
			})
			r := Request{Path: path, Proto: "http", Source: lan}
			b.Run(fmt.Sprintf("%s/cached=%t", path, cached), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f, err := s.Get(context.Background(), r)
					if err != nil {
						b.Fatal(err)
					}
					f.Done(200, f.Size, nil)
				}
			})
		}
	}
}

// libraryOf is the library of a set alone.
func libraryOf(set *templates.Set) *templates.Library {
	l, _ := templates.NewLibrary(set)
	return l
}
