package proxy

import (
	"crypto/rand"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// build makes the request that goes to one target (RFC 3261 section 16.6). What
// is not named there stays as it came, in its order.
func (p *Proxy) build(in *inbound, pl *plan, t *target) *sip.Request {
	out := sip.NewRequest(in.req.Method, *t.uri)
	out.AppendHeader(p.via(t.flow.transport, "."+p.loopMark(in.req)))
	if pl.recordRoute {
		for _, h := range p.recordRoutes(in, pl, t) {
			out.AppendHeader(h)
		}
	}
	for _, route := range t.path {
		out.AppendHeader(sip.NewHeader("Route", route))
	}
	for _, via := range in.vias {
		out.AppendHeader(sip.HeaderClone(via))
	}
	for _, h := range in.req.Headers() {
		if p.passes(h) {
			out.AppendHeader(sip.HeaderClone(h))
		}
	}
	hops := sip.MaxForwardsHeader(70)
	if mf := in.req.MaxForwards(); mf != nil {
		hops = *mf - 1
	}
	out.AppendHeader(&hops) // its own one: clones of sipgo's share the number
	if t.breadth > 0 {
		out.AppendHeader(sip.NewHeader("Max-Breadth", strconv.Itoa(t.breadth)))
	}
	if pl.asserted != "" {
		out.AppendHeader(sip.NewHeader("P-Asserted-Identity", pl.asserted))
	}
	out.SetBody(in.req.Body())
	return out
}

// passes reports whether a header of a request goes on unchanged.
func (p *Proxy) passes(h sip.Header) bool {
	switch name := h.Name(); {
	case is(name, "Via", "Route", "Max-Forwards", "Max-Breadth"), is(name, identityHeaders...):
		return false
	case is(name, "Proxy-Authorization", "Authorization"):
		return !p.ownCredential(h.Value())
	}
	return true
}

// via is our Via on a transport, with a branch that ends in suffix.
func (p *Proxy) via(transport, suffix string) *sip.ViaHeader {
	host, port := p.opt.Advertise(transport)
	name := strings.ToUpper(transport)
	if transport == Link {
		name = "UDP"
	}
	via := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: name,
		Host: strings.Trim(host, "[]"), Port: port,
	}
	via.Params.Add("branch", sip.RFC3261BranchMagicCookie+rand.Text()+suffix)
	return via
}

// aim sets a request to leave over a flow and returns the connection, which has
// to be given back with TryClose. UDP leaves through the socket the phone knows
// (RFC 3581 section 4), all others over the connection the phone has made.
func (p *Proxy) aim(req *sip.Request, f flow) (sip.Connection, error) {
	s := p.stacks[f.transport]
	req.SetTransport(s.lower)
	req.SetDestination(f.remote.String())
	if s.reliable() {
		return s.connection(f.remote.String())
	}
	local := p.listener(f)
	if local == nil {
		return nil, fmt.Errorf("no UDP socket to reach %s from", f.remote)
	}
	host, port, err := sip.ParseAddr(local.String())
	if err != nil {
		return nil, fmt.Errorf("address of our socket: %w", err)
	}
	req.Laddr = sip.Addr{IP: net.ParseIP(host), Port: port}
	return s.connection(local.String())
}

// send starts a client transaction over a flow.
func (p *Proxy) send(f flow, req *sip.Request) (*sip.ClientTx, error) {
	conn, err := p.aim(req, f)
	if err != nil {
		return nil, err
	}
	defer giveBack(conn)
	tx, err := p.stacks[f.transport].txl.Request(noDial(), req)
	if err != nil {
		return nil, fmt.Errorf("send %s over %s: %w", req.Method, f.transport, err)
	}
	return tx, nil
}

// write sends a request outside any transaction: the ACK of a 2xx.
func (p *Proxy) write(f flow, req *sip.Request) error {
	conn, err := p.aim(req, f)
	if err != nil {
		return err
	}
	defer giveBack(conn)
	if err := conn.WriteMsg(req); err != nil {
		return fmt.Errorf("send %s over %s: %w", req.Method, f.transport, err)
	}
	return nil
}

// giveBack releases a reference to a connection. That the connection is closed
// by now is no error.
func giveBack(c sip.Connection) { _, _ = c.TryClose() }

// drain reads a client transaction until its final response, its end, or stop:
// sipgo blocks in a transaction whose responses nobody reads. The error is nil
// after a final response and after stop.
func drain(tx *sip.ClientTx, stop <-chan struct{}, each func(*sip.Response)) error {
	for {
		select {
		case res := <-tx.Responses():
			each(res)
			if !res.IsProvisional() {
				return nil
			}
		case <-tx.Done():
			return tx.Err()
		case <-stop:
			tx.Terminate()
			return nil
		}
	}
}
