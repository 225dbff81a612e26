package tftpd

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
)

const (
	// portsKept is how many sockets wait for the next transfer. The port of a transfer
	// is picked among them by chance: who forges a phone's address and does not see
	// the answers has to send that many acknowledgements for each packet, which is
	// more than the packet.
	portsKept = 64
	// portUses is after how many transfers a port is given up, so that none is known
	// for long.
	portUses = 64
)

// ports are the sockets that transfers are sent from, each its own transfer
// identifier (RFC 1350 section 4). Opening one costs as much as sending a small
// file, so that they are used again.
type ports struct {
	listen func() (*net.UDPConn, error)

	mu   sync.Mutex
	idle []*port
	shut bool
}

// port is one socket, of one transfer at a time.
type port struct {
	*net.UDPConn
	uses  int
	plain bool // the kernel does not cut packets for this socket
}

// newPorts returns ports on the address of a listener.
func newPorts(local net.Addr) *ports {
	var lc net.ListenConfig
	addr := ":0"
	if a, ok := local.(*net.UDPAddr); ok && !a.IP.IsUnspecified() {
		addr = (&net.UDPAddr{IP: a.IP, Zone: a.Zone}).String()
	} else if ok && a.IP.To4() != nil {
		addr = "0.0.0.0:0"
	}
	return &ports{listen: func() (*net.UDPConn, error) {
		pc, err := lc.ListenPacket(context.Background(), "udp", addr)
		if err != nil {
			return nil, err
		}
		return pc.(*net.UDPConn), nil //nolint:forcetypeassert // what "udp" is
	}}
}

// take returns a socket; a fresh one has a port that nobody has seen.
func (p *ports) take(fresh bool) (*port, error) {
	p.mu.Lock()
	if n := len(p.idle); n >= portsKept && !fresh {
		i := rand.IntN(n) //nolint:gosec // see portsKept: it need not be secret, only one of many
		c := p.idle[i]
		p.idle[i] = p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		c.uses++
		return c, nil
	}
	p.mu.Unlock()
	conn, err := p.listen()
	if err != nil {
		return nil, err
	}
	return &port{UDPConn: conn, uses: 1}, nil
}

// give takes a socket back.
func (p *ports) give(c *port) {
	p.mu.Lock()
	keep := !p.shut && c.uses < portUses && len(p.idle) < 2*portsKept
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		_ = c.Close()
	}
}

// close closes the sockets that wait; those in use close when they come back.
func (p *ports) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.shut = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
}
