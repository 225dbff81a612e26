package fleet

import (
	"encoding/binary"
	"fmt"
	"io"

	"pbx.dev/dialtone/internal/phone"
)

// Member is one phone of a fleet. Members are made from their number alone, so that
// the list that is imported and the phones that boot are the same.
type Member struct {
	MAC       phone.MAC
	Vendor    phone.Vendor
	Model     string
	Extension string
	class     string // option 60
}

// kinds are the phones a fleet is mixed of; the address blocks are the makers' own
// (phone-facts/oui.csv), the vendor classes those of phone-facts/request_sequence.md 0.
var kinds = []Member{
	{MAC: phone.MAC{0x00, 0x15, 0x65}, Vendor: phone.Yealink, Model: "T46S", class: "yealink"},
	{MAC: phone.MAC{0x00, 0x04, 0xf2}, Vendor: phone.Polycom, Model: "VVX 450", class: "Polycom-VVX450"},
	{MAC: phone.MAC{0x00, 0x0b, 0x82}, Vendor: phone.Grandstream, Model: "GXP2135", class: "Grandstream GXP2135 dslforum.org"},
}

// firstExtension is the number of member 0; a fleet has one extension per phone.
const firstExtension = 100000

// MaxSize is the most phones a fleet can have: one block of addresses per kind.
const MaxSize = 3 << 20

// MemberAt returns member i, 0 <= i < MaxSize.
func MemberAt(i int) Member {
	m := kinds[i%len(kinds)]
	var low [4]byte
	// 0x400000 and up: away from the small numbers that people try by hand.
	binary.BigEndian.PutUint32(low[:], uint32(0x400000+i/len(kinds)))
	copy(m.MAC[3:], low[1:])
	m.Extension = fmt.Sprint(firstExtension + i)
	return m
}

// WriteExtensions writes the extensions of a fleet of size phones as the REST API
// imports them.
func WriteExtensions(w io.Writer, size int) error {
	if _, err := fmt.Fprintln(w, "number,name,sip_username,sip_password"); err != nil {
		return err
	}
	for i := range size {
		if _, err := fmt.Fprintf(w, "%s,Fleet %d,,\n", MemberAt(i).Extension, i+1); err != nil {
			return err
		}
	}
	return nil
}

// WritePhones writes the phones of a fleet as the REST API imports them.
func WritePhones(w io.Writer, size int) error {
	if _, err := fmt.Fprintln(w, "mac,model,extension,name,site"); err != nil {
		return err
	}
	for i := range size {
		m := MemberAt(i)
		if _, err := fmt.Fprintf(w, "%s,%s,%s,Fleet %d,fleet\n", m.MAC, m.Model, m.Extension, i+1); err != nil {
			return err
		}
	}
	return nil
}
