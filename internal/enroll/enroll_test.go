package enroll

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
)

var (
	here = netip.MustParseAddr("192.0.2.7")
	noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
)

func mac(i int) phone.MAC {
	m := phone.MAC{0x80, 0x5e, 0xc0}
	binary.BigEndian.PutUint16(m[4:], uint16(i))
	return m
}

func yealink(i int) phone.Device {
	return phone.Device{MAC: mac(i), Vendor: phone.Yealink, Model: "T46S"}
}

// desk stands before a real inventory with the extensions given.
func desk(t *testing.T, change func(*Options), numbers ...string) (*Desk, *inventory.Store) {
	t.Helper()
	s, err := inventory.Open(t.Context(), inventory.Options{Dir: t.TempDir(), Key: make([]byte, inventory.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, n := range numbers {
		if _, err := s.CreateExtension(t.Context(), phone.Extension{Number: n}); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Store: s, Key: []byte("key")}
	if change != nil {
		change(&o)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d, s
}

func admit(t *testing.T, k *Desk, i int, from netip.Addr) (extension, code string) {
	t.Helper()
	d, code, err := k.Admit(t.Context(), yealink(i), from)
	if err != nil {
		t.Fatal(err)
	}
	if d.ID != "" {
		extension = d.Lines[0].Extension
	}
	return extension, code
}

// Without a window and by default nobody is let in; a window lets so many in, from
// its network, and remembers them.
func TestWindow(t *testing.T) {
	t.Parallel()
	k, s := desk(t, nil)
	if ext, code := admit(t, k, 1, here); ext+code != "" {
		t.Errorf("let in without a window: %q %q", ext, code)
	}
	_, err := s.OpenEnrollment(t.Context(), phone.Enrollment{Phones: 2, Subnet: netip.MustParsePrefix("192.0.2.0/24"), ClosesAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, code := admit(t, k, 1, netip.MustParseAddr("198.51.100.1")); code != "" {
		t.Error("let in from another network")
	}
	_, one := admit(t, k, 1, netip.MustParseAddr("::ffff:192.0.2.7"))
	_, two := admit(t, k, 2, here)
	if len(one) != len("Code 123456") || one == two {
		t.Errorf("codes %q, %q", one, two)
	}
	if _, code := admit(t, k, 3, here); code != "" {
		t.Error("a third phone was let in")
	}
	if _, again := admit(t, k, 1, here); again != one {
		t.Errorf("another code for the same phone: %q, %q", one, again)
	}
	if m, err := k.Claimed(one[5:8] + "-" + one[8:]); err != nil || m != mac(1) {
		t.Errorf("%v, %v", m, err)
	}
	k.Forget(mac(1))
	if _, err := k.Claimed(one[5:]); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("a code that was used: %v", err)
	}
}

// auto takes the lowest extension without a phone; when there is none left, the
// phone shows a code.
func TestAuto(t *testing.T) {
	t.Parallel()
	var events []phone.Event
	k, s := desk(t, func(o *Options) {
		o.Auto = true
		o.Recorder = func(e phone.Event) { events = append(events, e) }
	}, "20", "100", "9")
	var got []string
	for i := range 4 {
		ext, code := admit(t, k, i, here)
		got = append(got, ext)
		if (ext == "") == (code == "") {
			t.Errorf("phone %d: %q, %q", i, ext, code)
		}
	}
	if got[0] != "9" || got[1] != "20" || got[2] != "100" || got[3] != "" {
		t.Errorf("extensions %q", got)
	}
	if d, err := s.DeviceByMAC(t.Context(), mac(1)); err != nil || d.Model != "T46S" || d.Lines[0].Extension != "20" {
		t.Errorf("%+v, %v", d, err)
	}
	if len(events) != 3 || events[0].Outcome != "enrolled" || events[0].DeviceID == "" {
		t.Errorf("events %+v", events)
	}
	if _, err := s.CreateExtension(t.Context(), phone.Extension{Number: "300"}); err != nil {
		t.Fatal(err)
	}
	if ext, code := admit(t, k, 0, here); ext+code != "" {
		t.Errorf("enrolled twice: %q %q", ext, code)
	}
}

func TestAutoWindow(t *testing.T) {
	t.Parallel()
	k, s := desk(t, nil, "101")
	if _, err := s.OpenEnrollment(t.Context(), phone.Enrollment{Auto: true, Phones: 5, ClosesAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if ext, _ := admit(t, k, 1, here); ext != "101" {
		t.Errorf("extension %q", ext)
	}
	if err := s.CloseEnrollment(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ext, code := admit(t, k, 2, here); ext+code != "" {
		t.Errorf("after closing: %q %q", ext, code)
	}
}

// Codes are unique, survive a restart, expire, and are bounded in number.
func TestCodes(t *testing.T) {
	t.Parallel()
	now := noon
	k, _ := desk(t, func(o *Options) { o.Codes, o.Now = true, func() time.Time { return now } })
	first := k.code(mac(0))
	seen := map[string]bool{}
	for i := range 3 * maxClaims {
		seen[k.code(mac(i))] = true
	}
	if len(k.byMAC) != maxClaims || len(k.byCode) != maxClaims || k.order.Len() != maxClaims || len(seen) < 2*maxClaims {
		t.Errorf("%d phones, %d codes, %d seen", len(k.byMAC), len(k.byCode), len(seen))
	}
	later, _ := desk(t, func(o *Options) { o.Codes = true })
	if got := later.code(mac(0)); got != first {
		t.Errorf("another code after a restart: %q, %q", first, got)
	}
	now = now.Add(claimLife + time.Second)
	if _, err := k.Claimed(k.make(mac(3*maxClaims-1), 0)); !errors.Is(err, phone.ErrNotFound) || k.order.Len() != 0 {
		t.Errorf("%v, %d left", err, k.order.Len())
	}
	if _, err := New(Options{}); err == nil {
		t.Error("New takes nothing at all")
	}
}

// broken is an inventory that is down.
type broken struct{ Store }

func (broken) Enrollment(context.Context) (phone.Enrollment, error) {
	return phone.Enrollment{}, errors.New("down")
}

func TestStoreDown(t *testing.T) {
	t.Parallel()
	k, _ := desk(t, func(o *Options) { o.Auto, o.Store = true, broken{} })
	if _, code, err := k.Admit(t.Context(), yealink(1), here); err == nil || code != "" {
		t.Errorf("%q, %v", code, err)
	}
}

// TestShown: a code that one node gave is good at another with the same key.
func TestShown(t *testing.T) {
	t.Parallel()
	codes := func(o *Options) { o.Codes = true }
	one, _ := desk(t, codes)
	two, _ := desk(t, codes)
	_, code := admit(t, one, 1, here)
	code = strings.TrimPrefix(code, "Code ")
	if _, err := two.Claimed(code); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("known before it was told: %v", err)
	}
	two.Shown(mac(1))
	if m, err := two.Claimed(code); err != nil || m != mac(1) {
		t.Errorf("%s, %v", m, err)
	}
}
