package edge

import (
	"encoding/binary"
)

// wsError is a peer that breaks the rules; its value is the status of the close.
type wsError int

func (e wsError) Error() string {
	if e == closeTooBig {
		return "websocket message too big"
	}
	return "websocket protocol error"
}

// frameHead is the header of a frame whose payload is being read.
type frameHead struct {
	fin  bool
	op   byte
	left int // payload bytes to come
	mask [4]byte
	at   int // payload bytes seen
}

// wsReader cuts what a client sends into WebSocket messages and control frames
// (RFC 6455 section 5). It holds one message of at most maxMessage bytes, in as
// many fragments as the client likes.
type wsReader struct {
	buf     []byte // read, and not looked at yet from taken on
	taken   int
	frame   frameHead
	inFrame bool
	op      byte // of the message that has begun
	open    bool // it has not ended
	whole   bool // msg was handed out
	msg     []byte
	control []byte
}

// space returns where to read to. Payload does not stay in buf, so that there
// always is some.
func (w *wsReader) space() []byte {
	if w.buf == nil {
		w.buf = make([]byte, 0, firstRead)
	}
	w.buf = w.buf[:copy(w.buf, w.buf[w.taken:])]
	w.taken = 0
	return w.buf[len(w.buf):cap(w.buf)]
}

// fill says that n bytes were read into space.
func (w *wsReader) fill(n int) { w.buf = w.buf[:len(w.buf)+n] }

// partial reports whether a frame or a message has begun.
func (w *wsReader) partial() bool { return w.inFrame || w.open || w.taken < len(w.buf) }

// next returns the next whole message (opText or opBinary) or control frame. Its
// payload is good until the next call. Opcode opContinuation: more has to be read.
func (w *wsReader) next() (op byte, payload []byte, err error) {
	if w.whole {
		w.whole, w.msg = false, w.msg[:0]
		if cap(w.msg) > 4*firstRead { // let exceptional ones go
			w.msg = nil
		}
	}
	for {
		if !w.inFrame {
			if ok, err := w.head(); !ok {
				return opContinuation, nil, err
			}
		}
		if !w.payload() {
			return opContinuation, nil, nil
		}
		w.inFrame = false
		switch {
		case w.frame.op >= opClose:
			return w.frame.op, w.control, nil
		case w.frame.fin:
			w.open, w.whole = false, true
			return w.op, w.msg, nil
		}
	}
}

// head reads the header of a frame; false when it is not all there.
func (w *wsReader) head() (bool, error) {
	b := w.buf[w.taken:]
	if len(b) < 2 {
		return false, nil
	}
	f := frameHead{fin: b[0]&0x80 != 0, op: b[0] & 0x0f}
	length, size := uint64(b[1]&0x7f), 2
	if b[0]&0x70 != 0 || b[1]&0x80 == 0 || !w.allowed(f, length) {
		return false, wsError(closeProtocol) // a client has to mask (section 5.1)
	}
	switch length {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if len(b) < size+len(f.mask) {
		return false, nil
	}
	switch size {
	case 4:
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 10:
		length = binary.BigEndian.Uint64(b[2:])
	}
	if f.op < opClose && length > uint64(maxMessage-len(w.msg)) {
		return false, wsError(closeTooBig)
	}
	f.left = int(length)
	copy(f.mask[:], b[size:])
	w.taken += size + len(f.mask)
	w.begin(f)
	return true, nil
}

// allowed reports whether a frame may come now.
func (w *wsReader) allowed(f frameHead, length uint64) bool {
	switch f.op {
	case opContinuation:
		return w.open
	case opText, opBinary:
		return !w.open
	case opClose, opPing, opPong:
		return f.fin && length <= maxControl
	}
	return false
}

func (w *wsReader) begin(f frameHead) {
	w.frame, w.inFrame = f, true
	switch f.op {
	case opText, opBinary:
		w.op, w.open = f.op, true
	case opContinuation:
	default:
		w.control = w.control[:0]
	}
}

// payload takes what is there of the frame; true when that is all of it.
func (w *wsReader) payload() bool {
	n := min(w.frame.left, len(w.buf)-w.taken)
	part := w.buf[w.taken : w.taken+n]
	for i := range part {
		part[i] ^= w.frame.mask[(w.frame.at+i)&3]
	}
	if w.frame.op >= opClose {
		w.control = append(w.control, part...)
	} else {
		w.msg = append(w.msg, part...)
	}
	w.taken += n
	w.frame.at += n
	w.frame.left -= n
	return w.frame.left == 0
}
