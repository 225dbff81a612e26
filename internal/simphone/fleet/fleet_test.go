package fleet

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

func TestMembersAreDistinct(t *testing.T) {
	t.Parallel()
	macs, numbers := map[phone.MAC]bool{}, map[string]bool{}
	for i := range 20000 {
		m := MemberAt(i)
		macs[m.MAC], numbers[m.Extension] = true, true
		if kind := kinds[i%len(kinds)]; [3]byte(m.MAC[:3]) != [3]byte(kind.MAC[:3]) || m.Vendor != kind.Vendor {
			t.Fatalf("member %d is %+v, of another block than %+v", i, m, kind)
		}
	}
	if len(macs) != 20000 || len(numbers) != 20000 {
		t.Errorf("%d addresses and %d extensions of 20000", len(macs), len(numbers))
	}
}

func TestRequestIsReadAsWritten(t *testing.T) {
	t.Parallel()
	r := request{
		kind: typeRequest, xid: 0x01020304, mac: phone.MAC{0, 1, 2, 3, 4, 5}, class: "yealink",
		server: netip.MustParseAddr("10.0.0.1"), want: netip.MustParseAddr("10.0.0.9"),
	}
	b := r.encode()
	if len(b) < minLen {
		t.Errorf("%d bytes, want at least %d", len(b), minLen)
	}
	opts, err := options(b[fixedLen+4:])
	if err != nil || string(opts[optClass]) != "yealink" || !bytes.Equal(opts[optAddress], []byte{10, 0, 0, 9}) || !bytes.Equal(opts[optServer], []byte{10, 0, 0, 1}) {
		t.Errorf("options %v, %v", opts, err)
	}
	if _, err := decode(b); !errors.Is(err, errPacket) {
		t.Errorf("a request is read as a reply: %v", err)
	}
}

func TestReplyURL(t *testing.T) {
	t.Parallel()
	answer := func(opts ...byte) []byte {
		b := request{kind: typeAck, xid: 7, mac: phone.MAC{1, 2, 3, 4, 5, 6}}.encode()[:fixedLen+4]
		b[0] = bootReply
		copy(b[16:], []byte{10, 0, 0, 7})
		return append(append(b, optType, 1, typeAck, optServer, 4, 10, 0, 0, 1), opts...)
	}
	for _, tt := range []struct {
		name string
		opts []byte
		want string
	}{
		{"66", []byte("\x42\x04http\xff"), "http"},
		{"160 before 66", []byte("\x42\x03six\xa0\x05seven\xff"), "seven"},
		{"43", []byte("\x2b\x07\x01\x05hello\xff"), "hello"},
		{"two parts", []byte("\x42\x02ab\x42\x02cd\xff"), "abcd"},
		{"with a NUL", []byte("\x42\x03ab\x00\xff"), "ab"},
		{"none", []byte("\xff"), ""},
	} {
		got, err := decode(answer(tt.opts...))
		if err != nil || got.url != tt.want || got.yours != netip.MustParseAddr("10.0.0.7") || got.kind != typeAck {
			t.Errorf("%s: %+v, %v, want url %q", tt.name, got, err, tt.want)
		}
	}
	for _, cut := range []int{0, 10, fixedLen, fixedLen + 4, fixedLen + 6} {
		if _, err := decode(answer()[:cut]); !errors.Is(err, errPacket) {
			t.Errorf("a reply cut at %d: %v, want errPacket", cut, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(request{kind: typeDiscover}.encode())
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = decode(b) })
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := newReport(3)
	for i := range 2 {
		for s := Discover; s <= Registered; s++ {
			r.reached(s-1, s, time.Duration(i+1)*time.Second)
		}
	}
	r.failed(Waiting, errSilence)
	var b bytes.Buffer
	r.Print(&b)
	for _, want := range []string{"registered 2, failed 1", "200 to REGISTER              2.000", "failed 1 times: dhcp: no answer"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("report lacks %q:\n%s", want, b.String())
		}
	}
	if r.Count(Waiting) != 0 || r.Percentile(Registered, 1) != 2*time.Second || r.Percentile(Failed, 1) != 0 {
		t.Errorf("waiting %d, slowest %v", r.Count(Waiting), r.Percentile(Registered, 1))
	}
	if got := bar(r, 3); !strings.Contains(got, "####..") || !strings.Contains(got, "2/3 registered") {
		t.Errorf("bar %q", got)
	}
}
