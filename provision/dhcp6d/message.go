package dhcp6d

import (
	"encoding/binary"
	"errors"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// Message types and options of RFC 8415 and RFC 5970.
const (
	informationRequest = 11
	replyMessage       = 7

	optClientID    = 1
	optServerID    = 2
	optIANA        = 3
	optIATA        = 4
	optORO         = 6
	optVendorClass = 16
	optIAPD        = 25
	optBootfileURL = 59

	maxDUID = 130 // bytes, RFC 8415 section 11.1
)

var errNotOurs = errors.New("not an Information-request")

// request is an Information-request, as far as it is read.
type request struct {
	xid      [3]byte
	clientID []byte
	serverID []byte
	class    string    // of the vendor class, its first piece
	mac      phone.MAC // in a DUID made of a link-layer address; zero: none
	asked    []uint16
}

// parse reads a datagram. With an option of an address (RFC 8415 section 16.12) it is
// not a request for information, and is left alone.
func parse(b []byte) (request, error) {
	if len(b) < 4 || b[0] != informationRequest {
		return request{}, errNotOurs
	}
	r := request{xid: [3]byte(b[1:4])}
	for b = b[4:]; len(b) > 0; {
		if len(b) < 4 || len(b) < 4+int(binary.BigEndian.Uint16(b[2:])) {
			return request{}, errNotOurs
		}
		n := 4 + int(binary.BigEndian.Uint16(b[2:]))
		v := b[4:n]
		switch binary.BigEndian.Uint16(b) {
		case optClientID:
			if len(v) > maxDUID {
				return request{}, errNotOurs
			}
			r.clientID, r.mac = v, macOf(v)
		case optServerID:
			r.serverID = v
		case optIANA, optIATA, optIAPD:
			return request{}, errNotOurs
		case optORO:
			for ; len(v) >= 2; v = v[2:] {
				r.asked = append(r.asked, binary.BigEndian.Uint16(v))
			}
		case optVendorClass:
			r.class = classOf(v)
		}
		b = b[n:]
	}
	return r, nil
}

// macOf is the MAC address in a DUID-LLT or DUID-LL of Ethernet.
func macOf(duid []byte) phone.MAC {
	if len(duid) < 4 || binary.BigEndian.Uint16(duid[2:]) != 1 {
		return phone.MAC{}
	}
	switch kind := binary.BigEndian.Uint16(duid); {
	case kind == 1 && len(duid) == 14, kind == 3 && len(duid) == 10:
		return phone.MAC(duid[len(duid)-6:])
	}
	return phone.MAC{}
}

// classOf is the first piece of a vendor class, printable bytes only.
func classOf(v []byte) string {
	if len(v) < 6 {
		return ""
	}
	v = v[4:]
	v = v[2:min(len(v), 2+int(binary.BigEndian.Uint16(v)))]
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, string(v[:min(len(v), 128)]))
}

// reply answers with the URL.
func (r *request) reply(serverID []byte, url string) []byte {
	b := append([]byte{replyMessage}, r.xid[:]...)
	b = appendOption(b, optServerID, serverID)
	if r.clientID != nil {
		b = appendOption(b, optClientID, r.clientID)
	}
	return appendOption(b, optBootfileURL, []byte(url))
}

func appendOption(b []byte, code uint16, v []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, code)
	b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
	return append(b, v...)
}
