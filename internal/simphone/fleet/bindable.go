package fleet

import (
	"net"
	"net/netip"
)

// bindable reports whether this machine takes addr as its own, as it does for a
// whole range after "ip route add local RANGE dev lo". Then the phone uses it, else
// it speaks from the machine's address.
func bindable(addr netip.Addr) bool {
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return false
	}
	return c.Close() == nil
}
