package dhcpd

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pbx.dev/dialtone/internal/phone"
)

// The phone of these tests and its xid.
var (
	testMAC = phone.MAC{0x00, 0x15, 0x65, 0xaa, 0xbb, 0xcc}
	testXID = dhcpv4.TransactionID{1, 2, 3, 4}
)

// packet1 is a client's message as bytes.
func packet1(typ dhcpv4.MessageType, mods ...dhcpv4.Modifier) []byte {
	all := append([]dhcpv4.Modifier{
		dhcpv4.WithTransactionID(testXID), dhcpv4.WithHwAddr(testMAC[:]), dhcpv4.WithMessageType(typ),
	}, mods...)
	p, err := dhcpv4.New(all...)
	if err != nil {
		panic(err) // no randomness: the test machine is broken
	}
	return p.ToBytes()
}

func with(code uint8, v ...byte) dhcpv4.Modifier {
	return dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(code), v)
}
func withClass(s string) dhcpv4.Modifier      { return with(60, []byte(s)...) }
func withAsked(codes ...byte) dhcpv4.Modifier { return with(55, codes...) }
func withAddr(code uint8, a string) dhcpv4.Modifier {
	return with(code, netip.MustParseAddr(a).AsSlice()...)
}
func withCiaddr(a string) dhcpv4.Modifier { return dhcpv4.WithClientIP(net.ParseIP(a)) }
func withMAC(m phone.MAC) dhcpv4.Modifier { return dhcpv4.WithHwAddr(m[:]) }
func withGiaddr(a string) dhcpv4.Modifier { return dhcpv4.WithGatewayIP(net.ParseIP(a)) }

// macN is the n-th of many phones.
func macN(n int) phone.MAC {
	m := phone.MAC{0x00, 0x15, 0x65}
	binary.BigEndian.PutUint16(m[4:], uint16(n))
	m[3] = byte(n >> 16)
	return m
}

func mustParse(t testing.TB, b []byte) *dhcpv4.DHCPv4 {
	t.Helper()
	p, err := dhcpv4.FromBytes(b)
	if err != nil {
		t.Fatalf("reply does not parse: %v", err)
	}
	return p
}
