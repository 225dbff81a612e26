package tftpd

import (
	"encoding/binary"
	"errors"
	"io"
)

// window is the part of a file that is on its way: the packets that were sent and
// not acknowledged (RFC 7440; a window of one is RFC 1350). It knows no socket and
// no time.
//
// The packets lie one behind the other, all of the same size but the last, which is
// the form that the kernel takes many at a time.
type window struct {
	file   io.Reader
	block  int    // bytes of file in a packet
	buf    []byte // room for whole packets
	first  uint16 // number of the first packet in buf; numbers wrap to zero
	n      int    // packets in buf
	last   int    // bytes of file in the last of them
	ended  bool   // the last packet of the file is in buf
	acked  int64  // bytes of file acknowledged
	stride int
}

// headerLen is a DATA packet's header.
const headerLen = 4

// use makes w ready for the first packet of a file. buf has room for at least one.
func (w *window) use(file io.Reader, t terms, buf []byte) {
	*w = window{file: file, block: t.block, stride: headerLen + t.block, first: 1, buf: buf[:t.size()]}
}

// size is the bytes that a window of these terms needs.
func (t terms) size() int { return t.window * (headerLen + t.block) }

// fill reads packets until the window is full or the file has ended. A file that
// ends with a full packet gets an empty one (RFC 1350 section 6).
func (w *window) fill() error {
	for !w.ended && (w.n+1)*w.stride <= len(w.buf) {
		p := w.buf[w.n*w.stride : (w.n+1)*w.stride]
		n, err := io.ReadFull(w.file, p[headerLen:])
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		binary.BigEndian.PutUint16(p, opData)
		binary.BigEndian.PutUint16(p[2:], w.first+uint16(w.n)) //nolint:gosec // wraps as the numbers do
		w.n++
		w.last, w.ended = n, n < w.block
	}
	return nil
}

// packets are the packets in the window, one behind the other.
func (w *window) packets() []byte {
	if w.n == 0 {
		return nil
	}
	return w.buf[:(w.n-1)*w.stride+headerLen+w.last]
}

// ack takes an acknowledgement of the packet with that number and all before it.
// It reports whether that was news: an old one, or one of a packet that was not
// sent, changes nothing (a second answer to it would double every packet after it).
func (w *window) ack(number uint16) bool {
	k := int(number-w.first) + 1
	if k < 1 || k > w.n {
		return false
	}
	w.acked += int64(k) * int64(w.block)
	if k == w.n && w.ended {
		w.acked += int64(w.last - w.block)
	}
	copy(w.buf, w.packets()[min(k*w.stride, len(w.packets())):])
	w.n -= k
	w.first += uint16(k) //nolint:gosec // wraps as the numbers do
	return true
}

// done reports whether the whole file is acknowledged.
func (w *window) done() bool { return w.ended && w.n == 0 }
