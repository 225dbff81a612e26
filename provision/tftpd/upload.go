package tftpd

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/pin/tftp/v3"

	"pbx.dev/dialtone/provision"
)

// uploadTime bounds an upload as a whole; phones' logs are small.
const uploadTime = 2 * time.Minute

// inbox receives uploads with the library. It stands in for the library's socket:
// the library is handed requests that the store has agreed to, with a key in place
// of the name, so that a refusal has the right error code and names from outside
// never reach the library.
type inbox struct {
	server *Server
	ready  chan *upload
	closed chan struct{}
	once   sync.Once
	local  net.Addr

	mu      sync.Mutex
	next    uint64
	uploads map[string]*upload // handed to the library and not yet begun
	last    string             // key handed on last; used by the library's one reading goroutine
}

// upload is one file on its way from a phone: what the library receives goes through
// a pipe into the store, and the last packet is acknowledged after the store has it.
type upload struct {
	transfer *transfer
	inbox    *inbox
	key      string
	r        *io.PipeReader
	w        *io.PipeWriter
	begin    sync.Once
	started  bool
	stored   chan error // what the store said; capacity 1
	received chan struct{}
}

func newInbox(s *Server, local net.Addr) *inbox {
	return &inbox{server: s, local: local, ready: make(chan *upload), closed: make(chan struct{}), uploads: map[string]*upload{}}
}

// receive serves a write request.
func (t *transfer) receive() {
	s := t.server
	defer s.slots.release(t)
	defer func() {
		if p := recover(); p != nil {
			s.panicked(p, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), uploadTime)
	defer cancel()
	u := &upload{transfer: t, inbox: s.inbox, stored: make(chan error, 1), received: make(chan struct{})}
	u.r, u.w = io.Pipe()
	defer context.AfterFunc(ctx, func() { u.r.CloseWithError(ctx.Err()) })()
	err := u.put(ctx)
	if err == nil && !u.started { // an empty file, or a store that does not care
		_, err = io.Copy(io.Discard, io.LimitReader(u, defaultBlock))
	}
	if !u.started {
		if !errors.Is(err, provision.ErrOverBudget) {
			s.refuse(t.id.source, s.refusalOf(t.request, t.id.source, err))
		}
		return
	}
	text := error(nil)
	if err != nil { // the library sends the text of an error, so that it says nothing
		text = errors.New(s.refusalOf(t.request, t.id.source, err).text)
	}
	_ = u.r.CloseWithError(text) // always nil
	u.stored <- text
	select {
	case <-u.received:
	case <-s.inbox.closed:
	}
}

// put asks the store, which says no before it reads or takes the file.
func (u *upload) put(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			u.transfer.server.panicked(p, debug.Stack())
			err = errors.New("panic")
		}
	}()
	t := u.transfer
	return t.server.opts.Uploads.Put(ctx, provision.Request{
		Path: t.request.name, Proto: "tftp", Method: "WRQ", Source: t.id.source,
	}, u)
}

// Read implements io.Reader for the store. The first call tells the phone to go on.
func (u *upload) Read(p []byte) (int, error) {
	u.begin.Do(func() {
		u.inbox.put(u)
		select {
		case u.inbox.ready <- u:
			u.started = true
			u.transfer.server.slots.heard(u.transfer) // a store agreed to it: its place is its own
		case <-u.inbox.closed:
			u.inbox.take(u.key)
			u.w.CloseWithError(errStopped)
		}
	})
	return u.r.Read(p)
}

// receive is the library's handler: name is the key of an upload.
func (in *inbox) receive(name string, wt io.WriterTo) (err error) {
	u := in.take(name)
	if u == nil {
		return errors.New(refuseOurs.text)
	}
	defer close(u.received)
	defer func() {
		if p := recover(); p != nil {
			in.server.panicked(p, debug.Stack())
			u.w.CloseWithError(errGaveUp)
			err = errors.New(refuseOurs.text)
		}
	}()
	_, err = wt.WriteTo(u.w)
	u.w.CloseWithError(err)
	if stored := <-u.stored; stored != nil {
		return stored
	}
	return err
}

// put keeps u until its handler runs.
func (in *inbox) put(u *upload) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.next++
	u.key = strconv.FormatUint(in.next, 10)
	in.uploads[u.key] = u
}

// take returns the upload and forgets it; nil when there is none.
func (in *inbox) take(key string) *upload {
	in.mu.Lock()
	defer in.mu.Unlock()
	u := in.uploads[key]
	delete(in.uploads, key)
	return u
}

// ReadFrom implements net.PacketConn: the next request that the store agreed to.
func (in *inbox) ReadFrom(b []byte) (int, net.Addr, error) {
	in.last = ""
	select {
	case u := <-in.ready:
		in.last = u.key
		return copy(b, u.transfer.request.packet(u.key)), net.UDPAddrFromAddrPort(u.transfer.id.source), nil
	case <-in.closed:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo implements net.PacketConn; the library answers from sockets of its own.
func (in *inbox) WriteTo([]byte, net.Addr) (int, error) { return 0, errors.ErrUnsupported }

// Close implements net.PacketConn; no more requests are handed on.
func (in *inbox) Close() error {
	in.once.Do(func() { close(in.closed) })
	return nil
}

// LocalAddr implements net.PacketConn.
func (in *inbox) LocalAddr() net.Addr { return in.local }

// SetDeadline implements net.PacketConn.
func (in *inbox) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn.
func (in *inbox) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn.
func (in *inbox) SetWriteDeadline(time.Time) error { return nil }

// OnSuccess implements tftp.Hook; the handler knows by itself.
func (in *inbox) OnSuccess(tftp.TransferStats) {}

// OnFailure implements tftp.Hook. A failure without an address is one of the
// library's reading loop, with the packet that it has just been handed: it had no
// socket for the upload.
func (in *inbox) OnFailure(stats tftp.TransferStats, err error) {
	if stats.RemoteAddr != nil {
		return
	}
	u := in.take(in.last)
	if u == nil {
		return
	}
	in.server.log.Error("tftp: cannot receive a file", "client", u.transfer.id.source, "error", err)
	in.server.refuse(u.transfer.id.source, refuseBusy)
	u.w.CloseWithError(err)
	close(u.received)
}

var (
	_ net.PacketConn = (*inbox)(nil)
	_ tftp.Hook      = (*inbox)(nil)
)
