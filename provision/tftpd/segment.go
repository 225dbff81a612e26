package tftpd

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel takes up to 64 packets of one size in one call and cuts them itself
// (UDP_SEGMENT, Linux 4.18), which costs a tenth of as many calls.
const (
	maxSegments     = 64
	maxSegmentBytes = 64000
)

// send sends packets that lie one behind the other, each stride bytes but the last.
func (c *port) send(packets []byte, stride int, to netip.AddrPort) error {
	for len(packets) > 0 {
		n := min(len(packets), max(1, min(maxSegments, maxSegmentBytes/stride))*stride)
		part := packets[:n]
		packets = packets[n:]
		if len(part) > stride && !c.plain {
			_, _, err := c.WriteMsgUDPAddrPort(part, segmentSize(stride), to)
			if err == nil {
				continue
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			c.plain = true // a device or a packet size that it cannot be done for
		}
		for len(part) > 0 {
			one := part[:min(stride, len(part))]
			part = part[len(one):]
			if _, err := c.WriteToUDPAddrPort(one, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// segmentSize is the control message that tells the kernel where to cut.
func segmentSize(n int) []byte {
	b := make([]byte, unix.CmsgSpace(2))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(b[unix.CmsgLen(0):], uint16(n)) //nolint:gosec // a packet has at most 65468 bytes
	return b
}
