package provision

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
)

func TestFirmwareInAnyCase(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) {
		o.Firmware = fstest.MapFS{"T46U(T43U)-108.86.rom": {Data: []byte("image")}, "A.rom/x": {}}
	})
	for _, path := range []string{"/T46U(T43U)-108.86.rom", "/t46u(t43u)-108.86.ROM", "/T46U(T43U)-108.86.Rom"} {
		if text, _, err := b.fetch(path); err != nil || text != "image" {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	if _, _, err := b.fetch("/a.ROM"); err == nil {
		t.Error("a directory was served")
	}
}

// Each refusal is one line, without the token that somebody guessed; a flood is a
// few lines; the files that phones do without are none.
func TestRefusalsAreLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := newBench(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&out, nil)) })
	stranger := netip.MustParseAddrPort("198.51.100.1:4000")
	for _, r := range []Request{
		{Path: "../../etc/passwd", Proto: "tftp"},
		{Path: "/0004f2ffffff.cfg", Proto: "http"},
		{Path: "/" + yeaMAC.Hex() + ".cfg", Proto: "https", Source: stranger},
		{Path: "/p/guess/" + yeaMAC.Hex() + ".cfg", Proto: "http"},
	} {
		out.Reset()
		if !r.Source.IsValid() {
			r.Source = lan
		}
		if _, _, err := b.fetchAs(r); err == nil {
			t.Fatalf("%s was served", r.Path)
		}
		if s := out.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, "client="+r.Source.String()) || strings.Contains(s, "guess") {
			t.Errorf("%s: log %q, want one line", r.Path, s)
		}
	}
	out.Reset()
	for _, path := range []string{"/" + yeaMAC.Hex() + "-contact.xml", "/000000000000-license.cfg", "/none.rom"} {
		if _, _, err := b.fetch(path); err == nil || out.Len() > 0 {
			t.Errorf("%s, which phones do without: %v, log %q", path, err, out.String())
		}
	}
	for range 1000 {
		if _, _, err := b.fetch("/nothing"); err == nil {
			t.Fatal("served")
		}
	}
	if n := strings.Count(out.String(), "\n"); n == 0 || n > 30 {
		t.Errorf("1000 refusals made %d lines", n)
	}
}
