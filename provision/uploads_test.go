package provision

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/uploads"
)

// shedBench is a bench with a store of uploads; errored readers must not be read.
func shedBench(t *testing.T, o uploads.Options) *bench {
	t.Helper()
	o.Dir = t.TempDir()
	store, err := uploads.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return newBench(t, func(p *Options) { p.Uploads = store })
}

func putRequest(path string) Request {
	return Request{Path: path, Proto: "http", Method: "PUT", Source: lan}
}

// A phone gets back what it stored itself, and nobody else does.
func TestUploadsAreReadBack(t *testing.T) {
	t.Parallel()
	b := shedBench(t, uploads.Options{})
	withoutBook := device(phone.Polycom, polyMAC) // else its directory is ours
	withoutBook.Settings = map[string]string{"phonebook": "off"}
	b.shelf.devices[polyMAC] = withoutBook
	for _, name := range []string{
		"0004f2abcdef-phone.cfg", "0004F2ABCDEF-web.cfg", "0004f2abcdef-directory.xml", "0004f2abcdef-calls.xml",
		yeaMAC.Hex() + "-local.cfg", yeaMAC.Hex() + "-contact.xml", yeaMAC.Hex() + "-calllog.xml",
	} {
		if _, _, err := b.fetch(name); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("%s before: %v", name, err)
		}
		if err := b.Put(t.Context(), putRequest("/"+name), strings.NewReader("mine "+name)); err != nil {
			t.Fatal(name, err)
		}
		e := b.events[len(b.events)-1]
		if e.Kind != phone.EventUpload || e.Outcome != "ok" || e.DeviceID == "" || e.Bytes != int64(len("mine "+name)) || e.Path != strings.ToLower(name) {
			t.Errorf("event %+v", e)
		}
		if text, _, err := b.fetch(strings.ToUpper(name)); err != nil || text != "mine "+name {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		asAnother := Request{Path: name, Method: "GET", Source: lan, UserAgent: "Yealink SIP-T46S 66.86.0.15 11:22:33:44:55:66"}
		if _, _, err := b.fetchAs(asAnother); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("%s as another phone: %v", name, err)
		}
		if _, _, err := b.fetchAs(Request{Path: name, Method: "GET", Source: netip.MustParseAddrPort("198.51.100.1:1")}); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("%s from outside: %v", name, err)
		}
	}
}

// Logs are put together and only asked for.
func TestLogs(t *testing.T) {
	t.Parallel()
	b := shedBench(t, uploads.Options{})
	for _, name := range []string{"0004f2abcdef-app.log", "0004f2abcdef-boot.log", yeaMAC.Hex() + "-sys.log"} {
		for range 2 {
			if err := b.Put(t.Context(), putRequest(name), strings.NewReader("line\n")); err != nil {
				t.Fatal(name, err)
			}
		}
		if _, _, err := b.fetch(name); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("%s was given away: %v", name, err)
		}
		f, err := b.Get(t.Context(), Request{Path: name, Method: "HEAD", Source: lan})
		if err != nil || f.Size != 10 {
			t.Errorf("%s: %d bytes, %v", name, f.Size, err)
		}
		f.Close()
	}
}

// What is not taken is refused before a byte of it is read, and looks the same
// whatever the reason.
func TestUploadsRefused(t *testing.T) {
	t.Parallel()
	b := shedBench(t, uploads.Options{})
	never := iotest.ErrReader(errors.New("was read"))
	far := putRequest("0004f2abcdef-app.log")
	far.Source = netip.MustParseAddrPort("198.51.100.1:1")
	liar := putRequest("0004f2abcdef-app.log")
	liar.UserAgent = "Yealink SIP-T46S 66.86.0.15 11:22:33:44:55:66"
	cert := putRequest("0004f2abcdef-app.log")
	cert.ClientMAC = yeaMAC
	for name, r := range map[string]Request{
		"configuration":  putRequest("0004f2abcdef.cfg"),
		"rendered":       putRequest("0004f2abcdef-dialtone.cfg"),
		"common":         putRequest("000000000000.cfg"),
		"seed directory": putRequest("000000000000-directory.xml"),
		"license":        putRequest("0004f2abcdef-license.cfg"),
		"firmware":       putRequest("sip.ld"),
		"traversal":      putRequest("/../0004f2abcdef-app.log"),
		"folder":         putRequest("/logs/0004f2abcdef-app.log"),
		"no phone":       putRequest("0004f2999999-app.log"),
		"other vendor":   putRequest(yeaMAC.Hex() + "-phone.cfg"),
		"grandstream":    putRequest("cfg" + gsMAC.Hex() + ".xml"),
		"outside":        far, "another agent": liar, "another certificate": cert,
	} {
		if err := b.Put(t.Context(), r, never); err == nil || err.Error() != phone.ErrNotFound.Error() {
			t.Errorf("%s: %v", name, err)
		}
		if e := b.events[len(b.events)-1]; e.Kind != phone.EventUpload || e.Outcome == "ok" || e.Detail == "" {
			t.Errorf("%s: event %+v", name, e)
		}
	}
}

func TestUploadTooLarge(t *testing.T) {
	t.Parallel()
	b := shedBench(t, uploads.Options{MaxFile: 100, MaxPhone: 150})
	for _, step := range []struct {
		name string
		size int64
		want error
	}{{"-phone.cfg", 101, phone.ErrTooLarge}, {"-phone.cfg", 100, nil}, {"-web.cfg", 51, phone.ErrFull}} {
		body := io.LimitReader(zeroReader{}, step.size)
		if err := b.Put(t.Context(), putRequest("0004f2abcdef"+step.name), body); !errors.Is(err, step.want) {
			t.Errorf("%s %d: %v", step.name, step.size, err)
		}
		if e := b.events[len(b.events)-1]; (step.want != nil) != (e.Outcome == "denied") {
			t.Errorf("event %+v", e)
		}
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { return len(p), nil }
