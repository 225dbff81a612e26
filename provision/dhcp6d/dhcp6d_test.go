package dhcp6d

import (
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

var mac = phone.MAC{0x00, 0x15, 0x65, 1, 2, 3}

func informRequest(options ...byte) []byte {
	return append([]byte{informationRequest, 1, 2, 3}, options...)
}

func TestParse(t *testing.T) {
	t.Parallel()
	duid := append([]byte{0, 3, 0, 1}, mac[:]...)
	b := appendOption(informRequest(), optClientID, duid)
	b = appendOption(b, optORO, []byte{0, 23, 0, 59})
	b = appendOption(b, optVendorClass, append([]byte{0, 0, 0, 1, 0, 8}, "yealink\x00"...))
	r, err := parse(b)
	if err != nil || r.mac != mac || r.class != "yealink" || len(r.asked) != 2 || r.asked[1] != optBootfileURL {
		t.Fatalf("%+v %v", r, err)
	}
	llt := append([]byte{0, 1, 0, 1, 9, 9, 9, 9}, mac[:]...)
	if macOf(llt) != mac || !macOf([]byte{0, 2, 0, 1, 1, 2, 3, 4, 5, 6}).IsZero() {
		t.Error("DUID")
	}
	got := r.reply([]byte{7}, "http://h/")
	want := "\x07\x01\x02\x03\x00\x02\x00\x01\x07\x00\x01\x00\x0a" + string(duid) + "\x00\x3b\x00\x09http://h/"
	if string(got) != want {
		t.Errorf("%q", got)
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "solicit": {1, 1, 2, 3}, "cut": informRequest(0, 6, 0), "cut value": informRequest(0, 6, 0, 9, 1),
		"wants an address": appendOption(informRequest(), optIANA, make([]byte, 12)), "a long DUID": appendOption(informRequest(), optClientID, make([]byte, 131)),
	} {
		if r, err := parse(bad); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(appendOption(informRequest(), optVendorClass, []byte{0, 0, 0, 1, 0, 8, 'y'}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parse(b)
		if err == nil && len(r.reply([]byte{1}, "http://h/")) > len(b)+64 {
			t.Fatal("a reply longer than the request and the URL")
		}
	})
}
