package dhcpd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pbx.dev/dialtone/internal/phone"
)

// Question is a phone to answer for, as far as DHCP sees it.
type Question struct {
	MAC   phone.MAC
	Class string  // option 60
	Asked []uint8 // option 55; empty: the phone asks for nothing
}

// Answer is what a phone would get and why.
type Answer struct {
	Row     string // the row of the table that it is; "" is no phone
	By      string // which sign told
	Outcome string // "ok", "ignored", ...
	Reason  string // one plain sentence
	Options []GivenOption
	Missing []MissingOption
}

// GivenOption is one option of the reply.
type GivenOption struct {
	Code   uint8
	Value  string // readable
	Source string // where it is known from that the phone takes it so; "": DHCP's own
}

// MissingOption is one that was asked for and is not in the reply.
type MissingOption struct {
	Code   uint8
	Reason string
}

// Explain plans the answer to a DISCOVER without a server, by the server's own code.
// o needs what a Server needs; its stores and hooks are not used.
func Explain(ctx context.Context, o Options, q Question) (Answer, error) {
	o.Leases, o.Recorder, o.Registerer, o.Logger, o.Known, o.Reservations = noLeases{}, nil, nil, nil, nil, nil
	s, err := New(o)
	if err != nil {
		return Answer{}, err
	}
	lk, err := linkFor(s.engine.opts)
	if err != nil {
		return Answer{}, err
	}
	if o.Mode == Lease {
		if err := s.engine.openPool(ctx, []*link{lk}); err != nil {
			return Answer{}, err
		}
	}
	res, err := s.engine.answer(ctx, q.discover(), netip.AddrPortFrom(netip.IPv4Unspecified(), clientPort), lk)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Outcome: res.plan.outcome, Reason: res.plan.reason, By: res.id.by}
	if res.id.row != nil {
		a.Row = res.id.row.name
	}
	if res.reply != nil {
		err = a.read(res.reply, res.id.row)
	}
	a.missing(q, &res)
	return a, err
}

// linkFor is the first interface, or where there is none of that name one that has
// the network of the range.
func linkFor(o Options) (*link, error) {
	name := "eth0"
	if len(o.Interfaces) > 0 {
		name = o.Interfaces[0]
		l, err := inspect(name, o.ServerIP, o.Range[0])
		if err == nil && (!o.Range[0].IsValid() || l.prefix.Contains(o.Range[0])) {
			l.inRange = true
			return l, nil
		}
	}
	near := o.Range[0]
	if !near.IsValid() {
		near = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	}
	p, err := near.Prefix(24)
	if err != nil {
		return nil, err
	}
	for o.Range[1].IsValid() && !p.Contains(o.Range[1]) && p.Bits() > 8 {
		p = netip.PrefixFrom(near, p.Bits()-1).Masked()
	}
	own := p.Addr().Next()
	return &link{name: name, addr: own, own: []netip.Addr{own}, prefix: p, serverID: own, inRange: true}, nil
}

type noLeases struct{}

var _ Leases = noLeases{}

func (noLeases) SaveLease(context.Context, phone.Lease) error  { return nil }
func (noLeases) Leases(context.Context) ([]phone.Lease, error) { return nil, nil }
func (noLeases) DeleteLease(context.Context, phone.MAC) error  { return nil }

// discover is the phone's first message.
func (q Question) discover() []byte {
	b := make([]byte, headerLen, 400)
	b[0], b[1], b[2] = bootRequest, ethernet, 6
	_, _ = rand.Read(b[xidAt : xidAt+4]) // never fails
	b[flagsAt] = broadcastFlag
	copy(b[chaddrAt:], q.MAC[:])
	copy(b[fileEnd:], "\x63\x82\x53\x63")
	c := composer{b: b}
	c.force(optType, []byte{byte(dhcpv4.MessageTypeDiscover)})
	if q.Class != "" {
		c.force(optClass, []byte(q.Class))
	}
	if len(q.Asked) > 0 {
		c.force(optAsked, q.Asked)
	}
	return c.finish(nil)
}

func (a *Answer) read(reply []byte, r *row) error {
	var opts options
	if err := opts.read(reply[headerLen:]); err != nil {
		return err
	}
	for _, o := range opts.list {
		if o.code == optType || o.code == optServerID {
			continue
		}
		g := GivenOption{Code: o.code, Value: readable(o.code, o.data)}
		if i := slices.IndexFunc(r.options, func(b bootOption) bool { return b.code == o.code }); i >= 0 {
			g.Source = r.options[i].source
		}
		a.Options = append(a.Options, g)
	}
	return nil
}

// missing says why what was asked for is not there.
func (a *Answer) missing(q Question, res *result) {
	for _, code := range q.Asked {
		if res.reply == nil || slices.ContainsFunc(a.Options, func(g GivenOption) bool { return g.Code == code }) {
			continue
		}
		reason := "dialtone has no value for it: see the settings"
		r := res.id.row
		known := slices.ContainsFunc(r.options, func(b bootOption) bool { return b.code == code })
		switch {
		case len(r.options) == 0:
			reason = "dialtone has no files for this kind of phone"
		case !known:
			reason = "nobody knows what a phone of this kind (" + r.name + ") would make of it"
		case len(res.reply) >= res.req.limit-32:
			reason = "the reply is full (option 57)"
		}
		a.Missing = append(a.Missing, MissingOption{code, reason})
	}
}

// readable is the value of an option for people.
func readable(code uint8, v []byte) string {
	number := func() string { return strconv.FormatUint(beUint(v), 10) }
	switch code {
	case optMask, optRouter, optDNS, optBroadcast, optNTP, optTFTPAddrs:
		return addrList(v)
	case optLeaseTime, optT1, optT2:
		return number() + " seconds"
	case 2:
		return strconv.Itoa(int(int32(beUint(v)))) + " seconds east of UTC"
	case optVendor:
		if len(v) > 2 && int(v[1]) == len(v)-2 {
			return fmt.Sprintf("sub-option %d: %s", v[0], printable(v[2:]))
		}
	}
	if text := printable(v); len(text) == len(v) {
		return text
	}
	return hex.EncodeToString(v)
}

func beUint(v []byte) (n uint64) {
	for _, b := range v[:min(len(v), 8)] {
		n = n<<8 | uint64(b)
	}
	return n
}

// Ask broadcasts the question on an interface and returns every OFFER that comes
// within wait, this host's own server's included. It needs the clients' port.
func Ask(ctx context.Context, iface string, q Question, wait time.Duration) ([]Foreign, error) {
	conn, err := openClientPort(ctx, iface)
	if err != nil {
		return nil, fmt.Errorf("listen on the clients' port of %s: %w", iface, err)
	}
	defer func() { _ = conn.Close() }()
	b := q.discover()
	to := &net.UDPAddr{IP: net.IPv4bcast, Port: defaultPort}
	if _, err := conn.WriteToUDP(b, to); err != nil {
		return nil, fmt.Errorf("ask on %s: %w", iface, err)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	var out []Foreign
	buf := make([]byte, maxDatagram)
	for len(out) < maxForeign {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			break // the time is over
		}
		if f, ok := parseForeign(buf[:n], from); ok && f.XID == [4]byte(b[xidAt:]) {
			out = append(out, f)
		}
	}
	return out, nil
}

// Ours reports whether a value of option 66 or 160 is a way to say where the files
// of the server with these options are.
func (o Options) Ours(v string) bool {
	f := o.Facts()
	s := said{facts: f, tftpHost: f.tftpHost()}
	return s.ours(strings.TrimSpace(v))
}
