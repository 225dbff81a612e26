package simphone

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// link is the phone's way to its next hop: one UDP socket, or one TCP or TLS
// connection, with the requests under way on it.
type link struct {
	transport string // udp, tcp, tls
	conn      net.Conn
	read      func() ([]byte, error)

	mu      sync.Mutex
	pending map[string]chan *sip.Response // by Via branch
}

const (
	maxDatagram = 65535
	maxUDP      = 8 << 10 // more than any INVITE; thousands of phones share one memory
)

// errNoAnswer is a request that no response came to.
var errNoAnswer = errors.New("no answer in 32 s")

// dialer dials from the phone's own address.
func (p *Phone) dialer(network string) *net.Dialer {
	d := &net.Dialer{Timeout: 5 * time.Second}
	switch {
	case !p.opts.Local.IsValid():
	case network == "udp":
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.opts.Local, 0))
	default:
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.opts.Local, 0))
	}
	return d
}

// dial opens the link of account a.
func (p *Phone) dial(ctx context.Context, a account) (*link, error) {
	host, port := a.host, a.port
	if a.proxyHost != "" {
		host, port = a.proxyHost, a.proxyPort
	}
	if port == 0 {
		port = map[string]int{"udp": 5060, "tcp": 5060, "tls": 5061}[a.transport]
	}
	addr := net.JoinHostPort(p.resolve(ctx, host), strconv.Itoa(port))
	network := "tcp"
	if a.transport == "udp" {
		network = "udp"
	}
	d := p.dialer(network)
	l := &link{transport: a.transport, pending: map[string]chan *sip.Response{}}
	var err error
	switch a.transport {
	case "udp", "tcp":
		l.conn, err = d.DialContext(ctx, network, addr)
	default:
		td := tls.Dialer{NetDialer: d, Config: &tls.Config{RootCAs: p.opts.Trust, ServerName: host, MinVersion: tls.VersionTLS12}}
		l.conn, err = td.DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s over %s: %w", addr, a.transport, err)
	}
	if a.transport == "udp" {
		buf := make([]byte, maxUDP)
		l.read = func() ([]byte, error) {
			n, err := l.conn.Read(buf)
			return buf[:n], err
		}
	} else {
		l.read = streamReader(l.conn)
	}
	return l, nil
}

// resolve returns the address of host. A host that DNS does not know is looked
// for at the provisioning server: at a desk there would be DNS, on the machine of
// a developer there is none for sip.pbx.dev.
func (p *Phone) resolve(ctx context.Context, host string) string {
	if net.ParseIP(host) != nil {
		return host
	}
	if ip, ok := p.opts.Resolve[host]; ok {
		return ip
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(ips) > 0 {
		return ips[0].Unmap().String()
	}
	p.step("dns", "%s does not resolve; trying the provisioning server %s", host, p.base.Hostname())
	return p.base.Hostname()
}

// streamReader frames messages on a stream by Content-Length (RFC 3261 18.3).
func streamReader(r io.Reader) func() ([]byte, error) {
	br := bufio.NewReaderSize(r, maxDatagram)
	return func() ([]byte, error) {
		var msg []byte
		length := 0
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return nil, err
			}
			if len(msg) == 0 && strings.TrimSpace(line) == "" {
				continue // keep-alive
			}
			msg = append(msg, line...)
			if len(msg) > maxDatagram {
				return nil, errors.New("message too long")
			}
			if strings.TrimSpace(line) == "" {
				break
			}
			name, value, _ := strings.Cut(line, ":")
			if n := textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)); n == "Content-Length" || n == "L" {
				length, err = strconv.Atoi(strings.TrimSpace(value))
				if err != nil || length < 0 || length > maxDatagram {
					return nil, fmt.Errorf("content length %q", strings.TrimSpace(value))
				}
			}
		}
		body := make([]byte, length)
		_, err := io.ReadFull(br, body)
		return append(msg, body...), err
	}
}

// serve hands every request that arrives to handle and every response to who
// waits for it, until the link breaks or is closed.
func (l *link) serve(handle func(*sip.Request)) error {
	parser := sip.NewParser()
	for {
		raw, err := l.read()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		// The parser keeps parts of its input, and the buffer is used again.
		msg, err := parser.ParseSIP([]byte(string(raw)))
		if err != nil {
			continue // keep-alives and garbage
		}
		switch m := msg.(type) {
		case *sip.Request:
			m.SetSource(l.conn.RemoteAddr().String())
			handle(m)
		case *sip.Response:
			l.deliver(m)
		}
	}
}

func (l *link) deliver(res *sip.Response) {
	via := res.Via()
	if via == nil {
		return
	}
	branch, _ := via.Params.Get("branch")
	l.mu.Lock()
	ch := l.pending[branch]
	l.mu.Unlock()
	if ch == nil {
		return
	}
	select {
	case ch <- res:
	default: // a retransmission that nobody reads any more
	}
}

func (l *link) send(text string) error {
	_, err := l.conn.Write([]byte(text))
	return err
}

// request sends text, whose Via has branch, and returns the final response,
// retransmitting over UDP as RFC 3261 17.1.2.2 says.
func (l *link) request(ctx context.Context, branch, text string) (*sip.Response, error) {
	ch := make(chan *sip.Response, 4)
	l.mu.Lock()
	l.pending[branch] = ch
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.pending, branch)
		l.mu.Unlock()
	}()
	const t1, t2 = 500 * time.Millisecond, 4 * time.Second
	timeout := time.NewTimer(64 * t1)
	defer timeout.Stop()
	wait := t1
	resend := time.NewTimer(wait)
	defer resend.Stop()
	if err := l.send(text); err != nil {
		return nil, err
	}
	for {
		select {
		case res := <-ch:
			if res.StatusCode >= 200 {
				return res, nil
			}
		case <-resend.C:
			if l.transport == "udp" {
				if err := l.send(text); err != nil {
					return nil, err
				}
			}
			wait = min(2*wait, t2)
			resend.Reset(wait)
		case <-timeout.C:
			return nil, errNoAnswer
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
