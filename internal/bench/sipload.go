package bench

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the digest that phones speak
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/net/ipv4"
)

// SIPLoad registers users over UDP, in a closed loop or at a fixed rate: one thread,
// one socket, batches of datagrams, so that the generator costs less than the server.
type SIPLoad struct {
	Target   string // ip:port
	Local    string // ip:port of the socket, as it stands in every Contact; "" is any
	Domain   string
	Users    []User
	Parallel int  // registrations under way, without Rate
	Rate     int  // registrations begun a second, whether or not those before have ended; 0: as many as Parallel allows
	CSeq     int  // of the first request of each user, less one: over that of a run before
	Refresh  bool // answer ahead with the last nonce, nc counted up
	Duration time.Duration
}

// User is one extension that registers.
type User struct{ Name, Auth, Password string }

// slot is one user's registration under way.
type slot struct {
	user  int
	cseq  int
	nonce []byte
	nc    int
	busy  bool
	due   time.Time // when it started
	sent  time.Time
	buf   []byte
}

const retransmitAfter = 500 * time.Millisecond

// Run does the load and returns operations (registrations that ended in 200) and
// latencies; CPU is the caller's to fill in.
func (l SIPLoad) Run(ctx context.Context) (Result, error) {
	conn, err := l.dial(ctx)
	if err != nil {
		return Result{}, err
	}
	defer conn.Close()
	g := &sipRun{SIPLoad: l, conn: ipv4.NewPacketConn(conn.(*net.UDPConn)), local: conn.LocalAddr().String()}
	return g.run(ctx, conn)
}

func (l SIPLoad) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	if l.Local != "" {
		local, err := net.ResolveUDPAddr("udp4", l.Local)
		if err != nil {
			return nil, err
		}
		d.LocalAddr = local
	}
	return d.DialContext(ctx, "udp4", l.Target)
}

type sipRun struct {
	SIPLoad
	conn  *ipv4.PacketConn
	local string
	slots []slot
	next  int
	begun int // with Rate
	out   []ipv4.Message
	res   Result
	start time.Time
}

func (g *sipRun) run(ctx context.Context, conn net.Conn) (Result, error) {
	g.start = time.Now()
	g.slots = make([]slot, len(g.Users))
	for i := range g.slots {
		g.slots[i] = slot{user: i, cseq: g.CSeq, buf: make([]byte, 0, 1024)}
	}
	if g.Rate == 0 {
		for range min(g.Parallel, len(g.slots)/2) {
			g.begin(g.start)
		}
	}
	in := make([]ipv4.Message, 64)
	for i := range in {
		in[i].Buffers = [][]byte{make([]byte, 2048)}
	}
	end := g.start.Add(g.Duration)
	for now := g.start; now.Before(end) && ctx.Err() == nil; now = time.Now() {
		wait := g.beginDue(now)
		if err := g.flush(); err != nil {
			return g.res, err
		}
		_ = conn.SetReadDeadline(now.Add(wait))
		n, err := g.conn.ReadBatch(in, 0)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			g.retransmit()
			continue
		}
		if err != nil {
			return g.res, err
		}
		for i := range n {
			g.answer(in[i].Buffers[0][:in[i].N])
		}
	}
	g.res.Elapsed = time.Since(g.start)
	return g.res, nil
}

// beginDue begins what is due at a fixed rate, and returns how long to wait for
// answers until there is something to do again. What the generator is late with
// counts from when it was due.
func (g *sipRun) beginDue(now time.Time) time.Duration {
	if g.Rate == 0 {
		return retransmitAfter
	}
	every := time.Second / time.Duration(g.Rate)
	for {
		due := g.start.Add(time.Duration(g.begun) * every)
		if due.After(now) {
			return min(due.Sub(now), retransmitAfter)
		}
		g.begun++
		g.begin(due)
	}
}

// again begins another registration when one has ended, in a closed loop.
func (g *sipRun) again() {
	if g.Rate == 0 {
		g.begin(time.Now())
	}
}

// begin starts the registration of the next user in turn.
func (g *sipRun) begin(due time.Time) {
	s := &g.slots[g.next]
	for tried := 0; s.busy; tried++ {
		if tried == len(g.slots) { // all wait for an answer
			g.res.Errors++
			return
		}
		g.next = (g.next + 1) % len(g.slots)
		s = &g.slots[g.next]
	}
	g.next = (g.next + 1) % len(g.slots)
	s.busy, s.due = true, due
	if !g.Refresh {
		s.nonce = s.nonce[:0]
	}
	g.send(s)
}

func (g *sipRun) send(s *slot) {
	u := g.Users[s.user]
	s.cseq++
	s.nc++
	s.sent = time.Now()
	b := s.buf[:0]
	b = fmt.Appendf(b, "REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d.%d;rport\r\nMax-Forwards: 70\r\n", g.Domain, g.local, s.user, s.cseq)
	b = fmt.Appendf(b, "From: <sip:%s@%s>;tag=%d\r\nTo: <sip:%s@%s>\r\nCall-ID: %d@bench\r\nCSeq: %d REGISTER\r\n", u.Name, g.Domain, s.user, u.Name, g.Domain, s.user, s.cseq)
	b = fmt.Appendf(b, "Contact: <sip:%s@%s>;expires=3600\r\nUser-Agent: Yealink SIP-T46S 66.86.0.15\r\n", u.Name, g.local)
	if len(s.nonce) > 0 {
		b = append(b, g.authorize(s, u)...)
	}
	b = append(b, "Content-Length: 0\r\n\r\n"...)
	s.buf = b
	g.out = append(g.out, ipv4.Message{Buffers: [][]byte{s.buf}})
}

func (g *sipRun) authorize(s *slot, u User) []byte {
	uri := "sip:" + g.Domain
	nc := fmt.Sprintf("%08x", s.nc)
	ha1 := hexMD5(u.Auth + ":" + g.Domain + ":" + u.Password)
	ha2 := hexMD5("REGISTER:" + uri)
	response := hexMD5(ha1 + ":" + string(s.nonce) + ":" + nc + ":abcd:auth:" + ha2)
	return fmt.Appendf(nil, "Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\", algorithm=MD5, qop=auth, nc=%s, cnonce=\"abcd\"\r\n",
		u.Auth, g.Domain, s.nonce, uri, response, nc)
}

func hexMD5(s string) string {
	sum := md5.Sum([]byte(s)) //nolint:gosec // the digest that phones speak
	return hex.EncodeToString(sum[:])
}

func (g *sipRun) flush() error {
	for len(g.out) > 0 {
		n, err := g.conn.WriteBatch(g.out, 0)
		if err != nil {
			return err
		}
		g.out = g.out[n:]
	}
	g.out = g.out[:0]
	return nil
}

// answer takes one response: the status line, Call-ID (the user) and CSeq.
func (g *sipRun) answer(msg []byte) {
	if len(msg) < 12 || !bytes.HasPrefix(msg, []byte("SIP/2.0 ")) {
		return
	}
	id, err1 := strconv.Atoi(string(bytes.TrimSuffix(header(msg, "Call-ID: "), []byte("@bench"))))
	cseq, err2 := strconv.Atoi(string(bytes.TrimSuffix(header(msg, "CSeq: "), []byte(" REGISTER"))))
	if err1 != nil || err2 != nil || id >= len(g.slots) || g.slots[id].cseq != cseq {
		return
	}
	s := &g.slots[id]
	switch string(msg[8:11]) {
	case "200":
		g.res.Ops++
		g.res.Latency = append(g.res.Latency, time.Since(s.due))
		s.busy = false
		g.again()
	case "401":
		nonce := header(msg, `nonce="`)
		s.nonce = append(s.nonce[:0], nonce[:max(bytes.IndexByte(nonce, '"'), 0)]...)
		s.nc = 0
		g.send(s)
	default:
		g.res.Errors++
		s.busy = false
		g.again()
	}
}

// header returns what follows name up to the end of the line.
func header(msg []byte, name string) []byte {
	i := bytes.Index(msg, []byte(name))
	if i < 0 {
		return nil
	}
	v := msg[i+len(name):]
	return v[:max(bytes.IndexByte(v, '\r'), 0)]
}

// retransmit sends again what has had no answer: it counts as an error, since on
// loopback nothing is lost but by overload.
func (g *sipRun) retransmit() {
	for i := range g.slots {
		s := &g.slots[i]
		if s.busy && time.Since(s.sent) > retransmitAfter {
			g.res.Errors++
			s.sent = time.Now()
			g.out = append(g.out, ipv4.Message{Buffers: [][]byte{s.buf}})
		}
	}
}
