package tftpd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/provision"
)

// transfer is one file on its way to one phone. Its goroutine alone touches it; what
// others may see is in state, which slots guard.
type transfer struct {
	state
	server  *Server
	request *request
	file    provision.File
	terms   terms
	window  window
	timeout time.Duration
	waiting bool    // for the acknowledgement of the OACK
	packets *[]byte // of the window; nil until something of the file is sent
	answer  [64]byte
}

// How a transfer ends before its end.
var (
	errSilent  = errors.New("the phone did not answer")
	errEvicted = errors.New("the phone did not answer before others needed the place")
	errGaveUp  = errors.New("the phone stopped answering")
	errStopped = errors.New("the server stopped")
)

// The buffers of windows: of one ordinary packet, and of more.
var (
	small = sync.Pool{New: func() any { b := make([]byte, smallBuffer); return &b }}
	large = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}
)

const (
	smallBuffer = headerLen + blockSize
	largeBuffer = max(windowBytes, headerLen+maxBlock)
)

// prepare takes a buffer for the window.
func (t *transfer) prepare() {
	pool := &small
	if t.terms.size() > smallBuffer {
		pool = &large
	}
	t.packets = pool.Get().(*[]byte)
	body := io.Reader(t.file.Body)
	if t.request.mode == "netascii" {
		body = &netascii{from: body}
	}
	t.window.use(body, t.terms, *t.packets)
}

// giveBack returns the buffer.
func (t *transfer) giveBack() {
	switch {
	case t.packets == nil:
	case len(*t.packets) == smallBuffer:
		small.Put(t.packets)
	default:
		large.Put(t.packets)
	}
	t.packets = nil
}

// run serves a read request from the look-up of its file to the last acknowledgement.
func (t *transfer) run() {
	defer t.server.slots.release(t)
	defer func() {
		if p := recover(); p != nil {
			t.server.panicked(p, debug.Stack())
			t.server.refuse(t.id.source, refuseOurs)
		}
	}()
	if !t.find() {
		return
	}
	err := t.carry()
	err = errors.Join(err, t.file.Close())
	t.file.Done(codeOther, t.window.acked, err)
}

// find looks the file up; the phone is told when there is none.
func (t *transfer) find() bool {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	var err error
	t.file, err = t.server.opts.Files.Get(ctx, provision.Request{
		Path: t.request.name, Proto: "tftp", Method: "RRQ", Source: t.id.source,
	})
	if err == nil {
		return true
	}
	no := t.server.refusalOf(t.request, t.id.source, err)
	if !errors.Is(err, provision.ErrOverBudget) { // the source may be forged, or scans: silence
		t.server.refuse(t.id.source, no)
	}
	t.file.Done(int(no.code), 0, nil)
	return false
}

// refusalOf is the one place where an outcome becomes a TFTP error.
func (s *Server) refusalOf(r *request, source netip.AddrPort, err error) *refusal {
	switch {
	case errors.Is(err, phone.ErrNotFound) && r.write:
		return refuseWrite
	case errors.Is(err, phone.ErrNotFound):
		return refuseNotFound
	case errors.Is(err, phone.ErrInvalid):
		return refuseIllegal
	case errors.Is(err, phone.ErrTooLarge), errors.Is(err, phone.ErrFull):
		return refuseFull
	case errors.Is(err, phone.ErrBusy):
		return refuseBusy
	}
	s.log.Error("tftp: cannot give or take a file", "client", source, "path", provision.LogPath(r.name), "error", err)
	return refuseOurs
}

// carry sends the file.
func (t *transfer) carry() error {
	s := t.server
	most := s.bounds
	if t.id.source.Addr().Is6() {
		most.block = max(minBlock, most.block-20) // the longer header of IPv6
	}
	t.terms = t.request.agree(t.file.Size, most)
	t.timeout = s.opts.Timeout
	if t.request.timeout > 0 {
		t.timeout = time.Duration(t.request.timeout) * time.Second
	}
	// Who sends many packets for one gets a port that nobody can know.
	conn, err := s.ports.take(t.terms.window > 1 || t.terms.block > blockSize)
	if err != nil {
		s.log.Error("tftp: cannot start a transfer", "client", t.id.source, "error", err)
		s.refuse(t.id.source, refuseBusy)
		return err
	}
	defer s.ports.give(conn)
	defer s.slots.closing(t)
	defer t.giveBack()
	return t.exchange(conn)
}

// exchange is the conversation: the first packet, then a window for each
// acknowledgement, until all are acknowledged.
func (t *transfer) exchange(conn *port) error {
	t.waiting = t.terms.oack != nil
	first := t.terms.oack
	if !t.waiting {
		t.prepare()
		if err := t.window.fill(); err != nil {
			return t.broken(conn, err)
		}
		first = t.window.packets()
	}
	// Before others can see the socket: they end the wait by a deadline that has passed.
	if err := conn.SetReadDeadline(time.Now().Add(silence * t.timeout)); err != nil {
		return err
	}
	if !t.server.slots.opened(t, conn, first) {
		return t.ended(conn)
	}
	if err := conn.send(first, len(first), t.id.source); err != nil {
		return err
	}
	if err := t.awaitFirst(conn); err != nil {
		return err
	}
	for tries := 0; !t.window.done(); {
		news, err := t.await(conn)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && tries < retries:
			tries++
			t.server.metrics.repeated.Inc()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errGaveUp
		case err != nil:
			return err
		case !news:
			continue
		default:
			tries = 0
		}
		if err := t.sendWindow(conn); err != nil {
			return err
		}
	}
	return nil
}

// awaitFirst waits for proof that the request came from where it says. Until then
// the one packet that was sent is all that is sent: an answer that is repeated, or a
// large one, would be a weapon against whoever's address was forged.
func (t *transfer) awaitFirst(conn *port) error {
	for {
		news, err := t.read(conn)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errSilent
		case err != nil:
			return err
		case news:
			t.server.slots.heard(t)
			if t.packets == nil {
				t.prepare()
			}
			return t.sendWindow(conn)
		}
	}
}

// sendWindow fills the window and sends it.
func (t *transfer) sendWindow(conn *port) error {
	if err := t.window.fill(); err != nil {
		return t.broken(conn, err)
	}
	return conn.send(t.window.packets(), t.window.stride, t.id.source)
}

// await waits for an acknowledgement, up to the timeout of the transfer.
func (t *transfer) await(conn *port) (news bool, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(t.timeout)); err != nil {
		return false, err
	}
	for !news && err == nil {
		news, err = t.read(conn)
	}
	return news, err
}

// read takes one packet off the socket and reports whether it acknowledges something.
func (t *transfer) read(conn *port) (news bool, err error) {
	n, from, err := conn.ReadFromUDPAddrPort(t.answer[:])
	if err != nil {
		if evicted, cut := t.server.slots.gone(t); evicted || cut {
			return false, t.ended(conn)
		}
		return false, err
	}
	p := t.answer[:n]
	if n < 4 {
		return false, nil
	}
	op := binary.BigEndian.Uint16(p)
	if netip.AddrPortFrom(from.Addr().Unmap(), from.Port()) != t.id.source {
		if op != opError { // RFC 1350 section 4; the transfer goes on
			_, err = conn.WriteToUDPAddrPort(refuseStranger.packet(), from)
		}
		return false, err
	}
	switch op {
	case opACK:
		return t.ack(binary.BigEndian.Uint16(p[2:])), nil
	case opError:
		return false, fmt.Errorf("the phone ended the transfer with error %s", strconv.Itoa(int(binary.BigEndian.Uint16(p[2:]))))
	}
	return false, nil
}

// ack takes an acknowledgement; number 0 is that of the OACK.
func (t *transfer) ack(number uint16) bool {
	if t.waiting {
		t.waiting = number != 0
		return !t.waiting
	}
	return t.window.ack(number)
}

// broken tells the phone that the file cannot be read, and nothing about why.
func (t *transfer) broken(conn *port, err error) error {
	t.server.log.Error("tftp: cannot read a file", "client", t.id.source, "path", provision.LogPath(t.request.name), "error", err)
	t.say(conn, refuseOurs)
	return err
}

// ended is the error of a transfer whose place is taken or whose server stops.
func (t *transfer) ended(conn *port) error {
	if evicted, _ := t.server.slots.gone(t); evicted {
		t.server.metrics.displaced.Inc()
		return errEvicted
	}
	t.say(conn, refuseBusy)
	return errStopped
}

// say sends an error from the socket of the transfer.
func (t *transfer) say(conn *port, no *refusal) {
	if _, err := conn.WriteToUDPAddrPort(no.packet(), t.id.source); err != nil && !errors.Is(err, net.ErrClosed) {
		t.server.log.Debug("tftp: cannot answer", "client", t.id.source, "error", err)
	}
}

// lookupTime bounds the search for a file; a phone asks again after some seconds.
const lookupTime = 4 * time.Second

// silence is how many timeouts a transfer waits for the first answer.
const silence = 5
