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
		"plain":             {rrq("a.cfg", "octet"), &request{name: "a.cfg", mode: "octet", size: -1}, nil},
		"capitals":          {rrq("A.cfg", "OCTET", "BLKSIZE", "1428", "TSize", "0", "WindowSize", "4"), &request{name: "A.cfg", mode: "octet", blksize: 1428, tsize: true, window: 4, size: -1}, nil},
		"netascii":          {rrq("a", "NetASCII"), &request{name: "a", mode: "netascii", size: -1}, nil},
		"least":             {rrq("a", "octet", "blksize", "8", "timeout", "1", "windowsize", "1"), &request{name: "a", mode: "octet", blksize: 8, timeout: 1, window: 1, size: -1}, nil},
		"most":              {rrq("a", "octet", "blksize", "65464", "timeout", "30", "windowsize", "65535"), &request{name: "a", mode: "octet", blksize: 65464, timeout: 30, window: 65535, size: -1}, nil},
		"out of range":      {rrq("a", "octet", "blksize", "7", "timeout", "31", "windowsize", "0", "tsize", "1"), &request{name: "a", mode: "octet", size: -1}, nil},
		"too much":          {rrq("a", "octet", "blksize", "65465", "timeout", "0", "windowsize", "65536", "tsize", "x"), &request{name: "a", mode: "octet", size: -1}, nil},
		"others":            {rrq("a", "octet", "utimeout", "3", "multicast", "", "rollover", "0"), &request{name: "a", mode: "octet", size: -1}, nil},
		"option, no value":  {rrq("a", "octet", "blksize"), &request{name: "a", mode: "octet", size: -1}, nil},
		"no name":           {rrq("", "octet"), &request{mode: "octet", size: -1}, nil},
		"mail":              {rrq("a", "mail"), nil, refuseIllegal},
		"no mode":           {rrq("a"), nil, refuseIllegal},
		"no end":            {"\x00\x01a", nil, refuseIllegal},
		"mode, no end":      {"\x00\x01a\x00octet", nil, refuseIllegal},
		"long name":         {rrq(strings.Repeat("a", 256), "octet"), nil, refuseIllegal},
		"write":             {"\x00\x02a\x00octet\x00tsize\x0077\x00", &request{write: true, name: "a", mode: "octet", size: 77}, nil},
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
	r := request{write: true, name: "x", mode: "octet", blksize: 1428, window: 4}
	if got, want := string(r.packet("7")), "\x00\x027\x00octet\x00blksize\x001428\x00"; got != want {
		t.Errorf("packet is %q, want %q", got, want)
	}
	if got, want := string((&request{mode: "netascii", blksize: 8}).packet("8")), "\x00\x028\x00netascii\x00"; got != want {
		t.Errorf("packet is %q, want %q", got, want)
	}
}

func TestAgree(t *testing.T) {
	t.Parallel()
	most := bounds{block: 1468, window: 64}
	for name, tt := range map[string]struct {
		r    request
		want terms
	}{
		"nothing asked":   {request{mode: "octet"}, terms{512, 1, nil}},
		"small block":     {request{mode: "octet", blksize: 8}, terms{8, 1, []byte("\x00\x06blksize\x008\x00")}},
		"large block":     {request{mode: "octet", blksize: 65464}, terms{1468, 1, []byte("\x00\x06blksize\x001468\x00")}},
		"all":             {request{mode: "octet", blksize: 1428, tsize: true, timeout: 3, window: 16}, terms{1428, 16, []byte("\x00\x06blksize\x001428\x00tsize\x00100\x00timeout\x003\x00windowsize\x0016\x00")}},
		"large window":    {request{mode: "octet", window: 65535}, terms{512, 64, []byte("\x00\x06windowsize\x0064\x00")}},
		"size of a text":  {request{mode: "netascii", tsize: true}, terms{512, 1, nil}},
		"window of bytes": {request{mode: "octet", blksize: 65464, window: 9}, terms{1468, 9, []byte("\x00\x06blksize\x001468\x00windowsize\x009\x00")}},
	} {
		if diff := cmp.Diff(tt.want, tt.r.agree(100, most), cmp.AllowUnexported(terms{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	r := request{mode: "octet", blksize: 65464, window: 64}
	if got := r.agree(1, bounds{block: maxBlock, window: 64}); got.window != 1 || got.size() > largeBuffer {
		t.Errorf("a window of the largest packets: %+v", got)
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("\x00\x01a.cfg\x00octet\x00blksize\x001428\x00tsize\x000\x00windowsize\x0016\x00timeout\x002\x00"))
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
		if back == nil || back.name != "42" || back.mode != r.mode || len(r.packet("18446744073709551615")) > 516 {
			t.Fatalf("%q: %+v reads back as %+v", p, r, back)
		}
		for _, block := range []int{blockSize, maxBlock} {
			agreed := r.agree(1<<40, bounds{block: block, window: maxSegments})
			if agreed.block < minBlock || agreed.window < 1 || agreed.size() > largeBuffer || len(agreed.oack) > defaultBlock {
				t.Fatalf("%q: %+v", p, agreed)
			}
		}
	})
}
