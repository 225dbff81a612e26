// Package proxy forwards SIP requests between the extensions of one domain: a
// stateful, parallel-forking, record-routing proxy (RFC 3261 section 16) on top
// of sipgo's parser and transactions. It asks a Directory who exists, a Lookup
// where an extension is registered, an Authenticator who is calling, and lets
// package fork decide what a forked request does.
//
// It is not a registrar (REGISTER is answered before it gets here), opens no
// sockets, speaks neither TLS nor WebSocket (its connections carry plain SIP
// messages), never dials out, never asks the DNS, and touches no media.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Proxy is a running proxy. Its methods may be called from many goroutines.
type Proxy struct {
	opt     Options
	log     *slog.Logger
	metrics *metrics
	tokens  *tokens
	stacks  map[string]*stack // by transport
	calls   *gate             // calls that wait for an answer
	work    *gate             // everything that runs
	invites *inviteTable
	ringing *ringTable
	merged  *mergeTable
	acks    *ackOrder

	ctx  context.Context // ends when Shutdown gives up waiting
	stop context.CancelFunc

	mu      sync.Mutex
	packets []packetSocket // served UDP sockets
	streams []net.Listener
}

// New makes a proxy; it serves nothing yet.
func New(o Options) (*Proxy, error) {
	if o.Domain == "" || o.Auth == nil || o.Directory == nil || o.Lookup == nil || o.Advertise == nil {
		return nil, errors.New("new proxy: Domain, Auth, Directory, Lookup and Advertise are required")
	}
	o.complete()
	p := &Proxy{
		opt: o, log: o.Logger, metrics: newMetrics(), tokens: &tokens{key: o.FlowKey},
		stacks: map[string]*stack{}, calls: newGate(o.MaxCalls), work: newGate(16 * o.MaxCalls),
		invites: newInviteTable(), ringing: newRingTable(), merged: newMergeTable(), acks: newAckOrder(),
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	for _, transport := range append([]string{Link}, transports...) {
		p.stacks[transport] = newStack(transport, o.Logger, p.acks.read, p.handle)
	}
	p.register(o.Registerer)
	return p, nil
}

// packetSocket is a UDP socket of a transport.
type packetSocket struct {
	net.PacketConn
	transport string
}

// ServePacket serves a UDP socket until it is closed; transport is "udp", or Link for
// one of NewLink. Every request to a phone leaves through the socket the phone
// registered at.
func (p *Proxy) ServePacket(transport string, c net.PacketConn) error {
	s := p.stacks[transport]
	if s == nil || s.reliable() {
		return fmt.Errorf("serve packets: no packet transport %q", transport)
	}
	p.mu.Lock()
	p.packets = append(p.packets, packetSocket{c, transport})
	p.mu.Unlock()
	return s.servePacket(c)
}

// ServeStream serves connections until l is closed; transport is "tcp", "tls",
// "ws" or "wss". The connections carry plain SIP messages: TLS and WebSocket
// framing are done before, and one Write is one message.
func (p *Proxy) ServeStream(transport string, l net.Listener) error {
	s := p.stacks[transport]
	if s == nil || !s.reliable() {
		return fmt.Errorf("serve stream: no stream transport %q", transport)
	}
	p.mu.Lock()
	p.streams = append(p.streams, l)
	p.mu.Unlock()
	return s.serveStream(l)
}

// quitWait is how long what still runs may take once Shutdown waits no longer for
// calls, first to send its last messages and then to return.
const quitWait = time.Second

// Shutdown refuses new calls with 503 and waits until those that ring are
// answered or refused, or ctx ends: then they get 503 and their phones CANCEL.
// After that everything is closed, the sockets that were served too. Dialogs
// that are up are not touched. It takes at most 2 seconds longer than ctx.
func (p *Proxy) Shutdown(ctx context.Context) error {
	err := p.calls.drain(ctx)
	p.stop()
	_ = p.quit(ctx) // who still waits for an answer of a phone is told by close
	for _, s := range p.stacks {
		s.closing.Store(true)
	}
	<-time.After(readGrace)
	p.mu.Lock()
	var sockets []io.Closer
	for _, l := range p.streams {
		sockets = append(sockets, l)
	}
	for _, c := range p.packets {
		sockets = append(sockets, c)
	}
	p.mu.Unlock()
	for _, c := range sockets {
		err = errors.Join(err, closed(c.Close()))
	}
	for _, s := range p.stacks {
		s.close()
	}
	return errors.Join(err, p.quit(ctx))
}

// quit waits for everything that runs, also after the end of ctx.
func (p *Proxy) quit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), quitWait)
	defer cancel()
	return p.work.drain(ctx)
}

// closed drops the complaint that something was closed before.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
