package edge

import (
	"hash/maphash"
	"net/netip"
	"time"

	"pbx.dev/dialtone/registrar/wire"
)

// Request is a message that was received, with the way to answer it.
type Request struct {
	Msg wire.Message
	// State is the Handler's. What it leaves there it finds again in another request
	// that uses the same memory.
	State any

	server *Server
	flow   Flow
	packet *packetSocket // of udp
	conn   *conn         // of a stream
	out    *buffer       // of the response that Begin started
	// batched: the socket's reader sends the answer with those of its batch.
	batched bool
}

// buffer is reusable memory of a message.
type buffer struct{ b []byte }

// Flow returns what the request came over.
func (r *Request) Flow() Flow { return r.flow }

// Begin starts a response and returns it up to where further headers go.
func (r *Request) Begin(status int, reason string) []byte {
	var tag [tagLen]byte
	r.server.tags.fill(&tag, &r.Msg)
	r.out = r.server.buffers.Get().(*buffer)
	return r.Msg.AppendReply(r.out.b[:0], status, reason, string(tag[:]), r.flow.Remote)
}

// Send ends the response that Begin started and sends it on its way: over UDP as
// RFC 3581 and RFC 3261 section 18.2.2 say, else on the connection of the request.
func (r *Request) Send(response []byte) {
	out := r.out
	out.b, r.out = wire.AppendEnd(response), nil
	if r.conn != nil {
		_ = r.conn.write(out.b) // a connection that cannot be written to closes itself
		r.server.recycle(out)
		return
	}
	to := r.flow.Remote
	if via, ok := r.Msg.TopVia(); ok && !r.server.opts.ForceRport {
		to = via.ReplyTo(to)
	}
	r.packet.sender.add(outgoing{out, to}, !r.batched)
}

// Reply answers with a status line and the headers that every response has.
func (r *Request) Reply(status int, reason string) { r.Send(r.Begin(status, reason)) }

// Vouch says that the request was authentic: neither it nor the one before it that
// was challenged counts against the budget of its address. With d above 0 the connection it came over may be idle
// that long, is no longer counted against its address, and can be sent on by Rest.
func (r *Request) Vouch(d time.Duration) {
	b := r.server.budgets
	b.Refund(b.Key(r.flow.Remote.Addr(), ""), 2, time.Now())
	if r.conn != nil && d > 0 {
		r.conn.hold(d)
	}
}

// release gives the request back; its message must not be used any more.
func (r *Request) release() {
	s := r.server
	*r = Request{Msg: r.Msg, State: r.State, server: s}
	r.Msg.Forget()
	s.requests.Put(r)
}

// recycle takes the memory of a message back.
func (s *Server) recycle(buf *buffer) {
	if cap(buf.b) <= maxRecycled { // let exceptional ones go
		s.buffers.Put(buf)
	}
}

const maxRecycled = 8 << 10

// tagLen is the length of a To tag: 64 bits in hexadecimal.
const tagLen = 16

// tagger makes To tags. A retransmission gets the same one again, as a stateless
// server owes it (RFC 3261 section 8.2.7).
type tagger struct{ seed maphash.Seed }

func newTagger() tagger { return tagger{maphash.MakeSeed()} }

func (t tagger) fill(tag *[tagLen]byte, m *wire.Message) {
	sum := maphash.String(t.seed, m.Get(wire.CallID)) ^ maphash.String(t.seed, m.Get(wire.CSeq))*31 ^
		maphash.String(t.seed, m.Get(wire.From))*17
	for i := range tag {
		tag[i] = "0123456789abcdef"[sum&15]
		sum >>= 4
	}
}

// unmap makes IPv4 in IPv6 plain IPv4 and drops zones, so that an address has
// one spelling.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
