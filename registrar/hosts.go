package registrar

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/wire"
)

// hosts knows which hosts and ports mean this server.
type hosts struct {
	domain string // the one that phones use most
	names  map[string]bool
	ports  map[uint16]bool // that we listen at; set before serving
	now    func() time.Time

	mu    sync.Mutex
	addrs map[netip.Addr]bool // of this host's interfaces
	read  time.Time           // when addrs was read
}

// rereadAddrs is how long the addresses of the interfaces are believed.
const rereadAddrs = 10 * time.Second

func newHosts(names []string, now func() time.Time) *hosts {
	h := &hosts{domain: names[0], names: map[string]bool{}, ports: map[uint16]bool{}, now: now}
	for _, name := range names {
		if name != "" {
			h.names[wire.HostKey(name)] = true
		}
	}
	return h
}

// listen notes the ports of the listeners.
func (h *hosts) listen(listeners []edge.Listener) {
	for _, l := range listeners {
		var addr net.Addr
		switch {
		case l.Packet != nil:
			addr = l.Packet.LocalAddr()
		case l.Stream != nil:
			addr = l.Stream.Addr()
		default:
			continue
		}
		if a, err := netip.ParseAddrPort(addr.String()); err == nil {
			h.ports[a.Port()] = true
		}
	}
}

// local reports whether host is ours.
func (h *hosts) local(host string) bool {
	if strings.EqualFold(host, h.domain) || h.names[wire.HostKey(host)] {
		return true
	}
	a, ok := wire.ParseIP(host)
	return ok && h.own(a)
}

// ourselves reports whether a contact would lead back to this server.
func (h *hosts) ourselves(u wire.URI) bool {
	port := u.Port
	if port == 0 {
		port = 5060
		if transport, _ := wire.Param(u.Params, "transport"); u.Secure() || strings.EqualFold(transport, "tls") {
			port = 5061
		}
	}
	return h.ports[port] && h.local(u.Host)
}

func (h *hosts) own(a netip.Addr) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.now(); h.addrs == nil || now.Sub(h.read) > rereadAddrs {
		h.addrs, h.read = interfaceAddrs(), now
	}
	return h.addrs[a]
}

func interfaceAddrs() map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return own // then only names and aliases are ours, until the next reading
	}
	for _, addr := range addrs {
		if p, err := netip.ParsePrefix(addr.String()); err == nil {
			own[p.Addr().Unmap()] = true
		}
	}
	return own
}
