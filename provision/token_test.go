package provision

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

const (
	enrollText = "enrollaaaaaaaaaaaaaaaaaaaa"
	steadyText = "steadybbbbbbbbbbbbbbbbbbbb"
)

// keyring knows one device by its tokens.
type keyring struct {
	device phone.Device
	asked  int
	used   []phone.TokenStage
	err    error
}

func (k *keyring) DeviceByToken(_ context.Context, hash [32]byte) (phone.Device, error) {
	k.asked++
	if k.err != nil || k.device.Tokens.EnrollHash != hash && phone.HashToken(steadyText) != hash {
		return phone.Device{}, errors.Join(k.err, phone.ErrNotFound)
	}
	return k.device, nil
}

func (k *keyring) TokenUsed(_ context.Context, _ phone.Device, stage phone.TokenStage) error {
	k.used = append(k.used, stage)
	return nil
}

// tokenBench is a bench on which the Yealink phone has tokens.
func tokenBench(t *testing.T, change func(*Options)) (*bench, *keyring) {
	t.Helper()
	k := &keyring{}
	b := newBench(t, func(o *Options) {
		o.Secrets, o.Tokens = AssureToken, k
		if change != nil {
			change(o)
		}
	})
	d := b.shelf.devices[yeaMAC]
	d.Tokens = phone.Tokens{Steady: phone.NewSecret(steadyText), EnrollHash: phone.HashToken(enrollText), EnrollExpires: b.now().Add(time.Hour)}
	b.shelf.devices[yeaMAC], k.device = d, d
	return b, k
}

func TestTokenPath(t *testing.T) {
	t.Parallel()
	b, k := tokenBench(t, nil)
	stranger := netip.MustParseAddrPort("203.0.113.9:5000")
	text, _, err := b.fetchAs(Request{Path: "/p/" + enrollText + "/805ec0aabbcc.cfg", Proto: "https", Source: stranger})
	if err != nil || !strings.Contains(text, "account.1.password = line-secret\n") {
		t.Fatalf("%v: %s", err, text)
	}
	// The file moves the phone to its steady token, and to nothing else.
	for _, want := range []string{
		"static.auto_provision.server.url = http://192.0.2.10:8081/p/" + steadyText + "/\n",
		"static.auto_provision.dhcp_option.enable = 0\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, path := range []string{"/P/" + strings.ToUpper(steadyText) + "/805EC0AABBCC.boot", "p/" + steadyText + "/y000000000066.cfg", "/p/" + steadyText + "/sip.ld"} {
		if _, _, err := b.fetchAs(Request{Path: path, Proto: "tftp", Source: stranger}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if len(k.used) != 4 || k.used[0] != phone.EnrollToken || k.used[1] != phone.SteadyToken {
		t.Errorf("used: %v", k.used)
	}
	for _, e := range b.events {
		if e.DeviceID != "phone_yealink" || e.MAC != yeaMAC {
			t.Errorf("event of nobody: %+v", e)
		}
		if strings.Contains(e.Path+e.Detail, "aaaa") || strings.Contains(e.Path+e.Detail, "bbbb") {
			t.Errorf("event shows a token: %+v", e)
		}
	}
	if e := b.events[0]; e.Detail != "assurance: token" {
		t.Errorf("event %+v", e)
	}
	preview, err := b.Preview(t.Context(), b.shelf.devices[yeaMAC], "805ec0aabbcc.cfg")
	if err != nil || strings.Contains(string(preview), steadyText) || !strings.Contains(string(preview), "/p/********/") {
		t.Errorf("preview, %v:\n%s", err, preview)
	}
}

func TestTokensRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path   string
		change func(*keyring)
		asked  int
	}{
		"a guess":             {"/p/" + strings.Repeat("c", 26) + "/805ec0aabbcc.cfg", nil, 1},
		"not a token at all":  {"/p/guess/805ec0aabbcc.cfg", nil, 0},
		"another phone":       {"/p/" + steadyText + "/0004f2abcdef.cfg", nil, 1},
		"a phone nobody has":  {"/p/" + steadyText + "/0004f2000001.cfg", nil, 1},
		"guess, common file":  {"/p/" + strings.Repeat("c", 26) + "/y000000000000.cfg", nil, 1},
		"expired":             {"/p/" + enrollText + "/805ec0aabbcc.cfg", func(k *keyring) { k.device.Tokens.EnrollExpires = time.Unix(1, 0) }, 1},
		"used long ago":       {"/p/" + enrollText + "/805ec0aabbcc.cfg", func(k *keyring) { k.device.Tokens.EnrollUsed = time.Unix(1, 0) }, 1},
		"no token, though in": {"/805ec0aabbcc.cfg", nil, 0},
	} {
		b, k := tokenBench(t, nil)
		if tt.change != nil {
			tt.change(k)
		}
		if _, _, err := b.fetchAs(Request{Path: tt.path, Source: lan}); err != phone.ErrNotFound { //nolint:errorlint // the very same error
			t.Errorf("%s: %v", name, err)
		}
		if k.asked != tt.asked {
			t.Errorf("%s: looked up %d times", name, k.asked)
		}
		if len(b.events) != 1 || b.events[0].Outcome != "denied" {
			t.Errorf("%s: %+v", name, b.events)
		}
	}
	b, k := tokenBench(t, nil)
	k.err = errors.New("down")
	k.device = phone.Device{}
	if _, _, err := b.fetchAs(Request{Path: "/p/" + steadyText + "/805ec0aabbcc.cfg", Source: lan}); err == nil {
		t.Error("served by a store that is down")
	}
}

// Below the level that secrets need, "strip" serves what all phones share, the same
// for a phone that exists and one that does not.
func TestBelowStrip(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Secrets, o.Below = AssureMTLS, BelowStrip })
	for known, unknown := range map[string]string{
		"/805ec0aabbcc.cfg": "/805ec0000009.cfg", "/805ec0aabbcc.boot": "/805ec0000009.boot",
		"/0004f2abcdef-dialtone.cfg": "/0004f2000009-dialtone.cfg", "/cfg000b82123456.xml": "/cfg000b82000009.xml",
	} {
		text, _, err := b.fetch(known)
		other, _, otherErr := b.fetchAs(Request{Path: unknown, Proto: "http", Method: "GET", Source: netip.MustParseAddrPort("203.0.113.9:1")})
		if err != nil || otherErr != nil || text != other || strings.Contains(text, "-secret") || strings.Contains(text, "101") {
			t.Errorf("%s: %v, %v:\n%s\n%s", known, err, otherErr, text, other)
		}
	}
	if _, _, err := b.fetch("/cfg000b82123456"); err != phone.ErrNotFound { //nolint:errorlint // the very same error
		t.Errorf("binary: %v", err)
	}
	if b.shelf.asked > 5 {
		t.Errorf("the inventory was asked %d times, also for a stranger", b.shelf.asked)
	}
	if e := b.events[0]; !strings.Contains(e.Detail, "without secrets") || e.Revision != 0 {
		t.Errorf("event %+v", e)
	}
}

// What the request says of the phone has to agree.
func TestContradictions(t *testing.T) {
	t.Parallel()
	leased := netip.MustParseAddr("192.0.2.50")
	for name, r := range map[string]Request{
		"token":       {Path: "/p/" + steadyText + "/0004f2abcdef.cfg"},
		"credentials": {AuthMAC: polyMAC},
		"certificate": {ClientMAC: polyMAC},
		"agent":       {UserAgent: "Yealink SIP-T46S 66.86.0.15 80:5e:c0:aa:bb:cd"},
		"maker":       {Path: "/805ec0aabbcc.boot", UserAgent: "Grandstream GXP2135"},
		"lease":       {Path: "/0004f2abcdef.cfg"},
	} {
		b, _ := tokenBench(t, func(o *Options) {
			o.Secrets = AssureMAC
			o.AgentVendor = func(ua string) (phone.Vendor, bool) { return phone.Grandstream, strings.HasPrefix(ua, "Grandstream") }
			o.Against = func(m phone.MAC, a netip.Addr) string {
				if m == polyMAC && a != leased {
					return "it was leased another"
				}
				return ""
			}
		})
		if r.Path == "" {
			r.Path = "/805ec0aabbcc.cfg"
		}
		r.Source = lan
		_, _, err := b.fetchAs(r)
		if err != phone.ErrNotFound || b.events[0].Outcome != "denied" || b.shelf.asked != 0 { //nolint:errorlint // the very same error
			t.Errorf("%s: %v, %+v", name, err, b.events)
		}
	}
	b, _ := tokenBench(t, func(o *Options) {
		o.Against = func(phone.MAC, netip.Addr) string { return "" }
	})
	for _, r := range []Request{{AuthMAC: yeaMAC}, {ClientMAC: yeaMAC}} {
		r.Path, r.Source = "/805ec0aabbcc.cfg", lan
		if _, _, err := b.fetchAs(r); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	for mode, want := range map[Enroll]Standing{EnrollPending: Enrollable, EnrollAuto: Enrollable, EnrollClosed: Stranger} {
		b := newBench(t, func(o *Options) { o.Enroll = mode })
		for mac, want := range map[phone.MAC]Standing{
			polyMAC: Known, {0x80, 0x5e, 0xc0, 0, 0, 9}: want, {2, 0, 0, 0, 0, 9}: Stranger, {}: Stranger,
		} {
			if got, err := b.Standing(t.Context(), mac); got != want || err != nil {
				t.Errorf("%s, %s: %s, %v", mode, mac, got, err)
			}
		}
	}
}

// downRing is an inventory that is down.
type downRing struct{ Tokens }

func (downRing) DeviceByToken(context.Context, [32]byte) (phone.Device, error) {
	return phone.Device{}, errors.New("down")
}
