package proxy

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/registrar/location"
)

// The link is how nodes behind one location store reach the phones of each other:
// a phone hangs on the connection, or behind the NAT's hole, of the node that it
// registered with. The node that has the call sends the branch to the one that has
// the phone, which is an ordinary proxy on the way: it adds its Via, its own
// Record-Route, and its CANCEL and 100. See docs/adr/0006.

// Link is the transport between nodes, for ServePacket and Advertise.
const Link = "link"

const (
	// linkPatience is how long a node may take to say anything about a request,
	// which it does at once.
	linkPatience = 2 * time.Second
	// linkSkew is how old a datagram between nodes may be.
	linkSkew    = 30 * time.Second
	linkStamp   = 8   // bytes
	maxLinked   = 256 // bytes of the parts of a way
	wayPrefix   = "to."
	maxDatagram = 64 << 10
)

// way is how another node finds one of its phones, in the user part of a Route.
type way struct {
	flow
	boot, id string // of the connection
}

func (w way) String() string {
	b := []byte{byte(slices.Index(transports, w.transport))}
	for _, field := range [][]byte{binaryAddr(w.remote), binaryAddr(w.local), []byte(w.boot), []byte(w.id)} {
		b = appendField(b, field)
	}
	return wayPrefix + base64.RawURLEncoding.EncodeToString(b)
}

func parseWay(s string) (w way, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(s, wayPrefix))
	if err != nil || len(b) == 0 || len(b) > 4*maxLinked || int(b[0]) >= len(transports) {
		return way{}, false
	}
	w.transport, b = transports[b[0]], b[1:]
	var fields [4][]byte
	for i := range fields {
		if len(b) == 0 || len(b) <= int(b[0]) {
			return way{}, false
		}
		fields[i], b = b[1:1+int(b[0])], b[1+int(b[0]):]
	}
	if w.remote.UnmarshalBinary(fields[0]) != nil || len(fields[1]) > 0 && w.local.UnmarshalBinary(fields[1]) != nil {
		return way{}, false
	}
	w.boot, w.id = string(fields[2]), string(fields[3])
	return w, w.remote.IsValid()
}

// linked reports whether the request comes from another node.
func (in *inbound) linked() bool { return in.stack.transport == Link }

// other is where the node is reached that has the phone; false when it is we, there
// is no link, or that node cannot be called.
func (p *Proxy) other(node string) (netip.AddrPort, bool) {
	if p.opt.Peer == nil || node == "" || node == p.opt.Node {
		return netip.AddrPort{}, false
	}
	return p.opt.Peer(node)
}

// over sends t by way of another node: user tells that what to do.
func (t *target) over(addr netip.AddrPort, user string) {
	t.end, t.flow, t.dead = t.flow, flow{transport: Link, remote: addr}, false
	t.path = append([]string{linkRoute(addr, user)}, t.path...)
}

func linkRoute(addr netip.AddrPort, user string) string {
	return "<sip:" + user + "@" + addr.String() + ";lr>"
}

// across sends the branch of a binding that another node has by way of that.
func (p *Proxy) across(t *target, b *location.Binding) {
	if addr, ok := p.other(b.Node); ok {
		t.over(addr, way{flow: t.flow, boot: b.Boot, id: b.Flow}.String())
		t.node = b.Node
	}
}

// planLinked is for requests that another node sends for a phone of ours. They have
// been authenticated there, and the link lets nobody else in.
func (p *Proxy) planLinked(ctx context.Context, in *inbound, r routed) (plan, error) {
	if r.dialog != nil {
		return p.planDialog(ctx, r)
	}
	if r.way == nil {
		return plan{}, refuse(sip.StatusForbidden)
	}
	t := target{flow: r.way.flow, uri: r.recipient}
	for _, uri := range r.rest {
		t.path = append(t.path, "<"+uri.String()+">")
	}
	b := location.Binding{Node: p.opt.Node, Boot: r.way.boot, Flow: r.way.id}
	if p.stacks[t.flow.transport].reliable() && (!p.opt.Alive(b) || !p.connected(t.flow)) {
		return plan{}, refuse(sip.StatusTemporarilyUnavailable)
	}
	pl := plan{targets: []target{t}, dialog: true}
	if toTag(in.req) == "" {
		pl.recordRoute = makesDialog(in.req.Method)
		pl.asserted = strings.Join(values(in.req, "P-Asserted-Identity"), ", ")
	}
	return pl, nil
}

func makesDialog(m sip.RequestMethod) bool {
	return m == sip.INVITE || m == sip.SUBSCRIBE || m == sip.REFER
}

// sealedUser is the token in the first Record-Route of a request, which another node
// has written.
func sealedUser(req *sip.Request) string {
	for _, v := range values(req, "Record-Route") {
		var uri sip.Uri
		_, inside, _ := strings.Cut(v, "<")
		inside, _, _ = strings.Cut(inside, ">")
		if sip.ParseUri(inside, &uri) == nil {
			return uri.User
		}
	}
	return ""
}

// linkConn is the socket of the link: what leaves is encrypted and stamped with the
// time, what comes is dropped unless a node with our key has made it just now.
type linkConn struct {
	net.PacketConn
	aead cipher.AEAD
	now  func() time.Time
	buf  [maxDatagram]byte // of the one reader
}

// NewLink makes a socket of the link out of a UDP socket. All nodes have the same
// key, 32 bytes.
func NewLink(c net.PacketConn, key []byte, now func() time.Time) (net.PacketConn, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key of the link: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("key of the link: %w", err)
	}
	if now == nil {
		now = time.Now
	}
	return &linkConn{PacketConn: c, aead: aead, now: now}, nil
}

// WriteTo implements net.PacketConn.
func (c *linkConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	plain := make([]byte, linkStamp, linkStamp+len(b))
	binary.BigEndian.PutUint64(plain, uint64(c.now().UnixMilli()))
	if _, err := c.PacketConn.WriteTo(c.aead.Seal(nil, nil, append(plain, b...), nil), addr); err != nil {
		return 0, err
	}
	return len(b), nil
}

// ReadFrom implements net.PacketConn. What is too long for b is dropped.
func (c *linkConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, addr, err := c.PacketConn.ReadFrom(c.buf[:])
		if err != nil {
			return 0, addr, err
		}
		plain, err := c.aead.Open(nil, nil, c.buf[:n], nil)
		if err != nil || len(plain) < linkStamp || len(plain)-linkStamp > len(b) {
			continue
		}
		sent := time.UnixMilli(int64(binary.BigEndian.Uint64(plain)))
		if age := c.now().Sub(sent); age > linkSkew || age < -linkSkew {
			continue
		}
		return copy(b, plain[linkStamp:]), addr, nil
	}
}
