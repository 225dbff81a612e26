package tftpd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	rrq := func(fields ...string) string { return "\x00\x01" + strings.Join(fields, "\x00") + "\x00" }
	for name, tt := range map[string]struct {
		packet string
		want   *request
		no     *refusal
	}{
		"plain":             {rrq("a.cfg", "octet"), &request{name: "a.cfg", mode: "octet"}, nil},
		"capitals":          {rrq("A.cfg", "OCTET", "BLKSIZE", "1428", "TSize", "0"), &request{name: "A.cfg", mode: "octet", blksize: 1428, tsize: true}, nil},
		"netascii":          {rrq("a", "NetASCII"), &request{name: "a", mode: "netascii"}, nil},
		"other options":     {rrq("a", "octet", "timeout", "3", "windowsize", "8", "blksize", "8", "tsize", "x"), &request{name: "a", mode: "octet"}, nil},
		"huge blksize":      {rrq("a", "octet", "blksize", "65465"), &request{name: "a", mode: "octet"}, nil},
		"option, no value":  {rrq("a", "octet", "blksize"), &request{name: "a", mode: "octet"}, nil},
		"no name":           {rrq("", "octet"), &request{mode: "octet"}, nil},
		"mail":              {rrq("a", "mail"), nil, refuseIllegal},
		"no mode":           {rrq("a"), nil, refuseIllegal},
		"no end":            {"\x00\x01a", nil, refuseIllegal},
		"mode, no end":      {"\x00\x01a\x00octet", nil, refuseIllegal},
		"long name":         {rrq(strings.Repeat("a", 256), "octet"), nil, refuseIllegal},
		"write":             {"\x00\x02a\x00octet\x00", nil, refuseWrite},
		"data":              {"\x00\x03\x00\x01x", nil, nil},
		"error":             {"\x00\x05\x00\x01x\x00", nil, nil},
		"unknown operation": {"\x00\x09", nil, nil},
		"one byte":          {"\x00", nil, nil},
		"nothing":           {"", nil, nil},
	} {
		got, no := parseRequest([]byte(tt.packet))
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(request{})); diff != "" || no != tt.no {
			t.Errorf("%s: refusal %v (-want +got):\n%s", name, no, diff)
		}
	}
}

func TestRequestPacket(t *testing.T) {
	t.Parallel()
	r := request{name: "x", mode: "octet", blksize: 1428, tsize: true}
	if got, want := string(r.packet("7")), "\x00\x017\x00octet\x00blksize\x001428\x00tsize\x000\x00"; got != want {
		t.Errorf("packet is %q, want %q", got, want)
	}
	if got, want := string((&request{mode: "netascii"}).packet("8")), "\x00\x018\x00netascii\x00"; got != want {
		t.Errorf("packet is %q, want %q", got, want)
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("\x00\x01a.cfg\x00octet\x00blksize\x001428\x00tsize\x000\x00"))
	f.Add([]byte("\x00\x02\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, p []byte) {
		r, no := parseRequest(p)
		if r == nil {
			return
		}
		if no != nil || len(r.name) > maxFileName {
			t.Fatalf("%q: %+v and %v", p, r, no)
		}
		back, _ := parseRequest(r.packet("42"))
		want := *r
		want.name = "42"
		if back == nil || *back != want || len(r.packet("18446744073709551615")) > 516 {
			t.Fatalf("%q: %+v reads back as %+v", p, want, back)
		}
	})
}
