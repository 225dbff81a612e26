package httpd

import (
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Limits bound the connections of a listener.
type Limits struct {
	Total     int // at a time; further ones wait in the kernel; 0: 4096
	PerSource int // at a time of one address, behind which may be a site; further ones are closed; 0: half of Total
	// Refused counts connections that were closed at once; nil: nobody counts.
	Refused prometheus.Counter
}

// Limit returns l with limits, so that one source cannot take the connections of all.
func Limit(l net.Listener, o Limits) net.Listener {
	if o.Total < 1 {
		o.Total = 4096
	}
	if o.PerSource < 1 {
		o.PerSource = max(1, o.Total/2)
	}
	return &limited{
		Listener: l, limits: o, places: make(chan struct{}, o.Total), closed: make(chan struct{}), source: map[netip.Addr]int{},
	}
}

type limited struct {
	net.Listener
	limits Limits
	places chan struct{}
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex
	source map[netip.Addr]int
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			<-l.places
			return nil, err
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			<-l.places
			return nil, fmt.Errorf("http: %T is no TCP connection", c)
		}
		from := sourceOf(tcp)
		if l.take(from) {
			return &phoneConn{TCPConn: tcp, listener: l, from: from}, nil
		}
		if l.limits.Refused != nil {
			l.limits.Refused.Inc()
		}
		_ = tcp.SetLinger(0) // nothing was said, nothing has to arrive
		_ = tcp.Close()
	}
}

// Close implements net.Listener.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func sourceOf(c *net.TCPConn) netip.Addr {
	a, _ := c.RemoteAddr().(*net.TCPAddr)
	return a.AddrPort().Addr().Unmap()
}

func (l *limited) take(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.source[a] >= l.limits.PerSource {
		return false
	}
	l.source[a]++
	return true
}

func (l *limited) give(a netip.Addr) {
	l.mu.Lock()
	if l.source[a]--; l.source[a] == 0 {
		delete(l.source, a)
	}
	l.mu.Unlock()
	<-l.places
}

// phoneConn gives its place back when it is closed. It keeps what net/http looks for
// in a TCP connection, so that firmware goes out without copies.
type phoneConn struct {
	*net.TCPConn
	listener *limited
	from     netip.Addr
	once     sync.Once
}

// Close implements net.Conn.
func (c *phoneConn) Close() error {
	err := c.TCPConn.Close()
	c.once.Do(func() { c.listener.give(c.from) })
	return err
}
