package dhcpd

import (
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
)

// sendBatch is how many replies one system call takes at most; sendQueue how many
// wait for it. More than that are sent one by one.
const (
	sendBatch = 32
	sendQueue = 256
)

// outgoing is one reply on its way.
type outgoing struct {
	link *link
	b    []byte
	to   netip.AddrPort
}

// batcher is what sendAll fills again and again.
type batcher struct {
	list  []outgoing
	msgs  []ipv4.Message
	addrs []net.UDPAddr
}

// sendAll sends what the workers made, in batches: leases become durable together, so
// that many replies are due at once.
func (c *crew) sendAll() {
	b := batcher{list: make([]outgoing, 0, sendBatch), msgs: make([]ipv4.Message, sendBatch), addrs: make([]net.UDPAddr, sendBatch)}
	for i := range b.msgs {
		b.msgs[i].Buffers, b.msgs[i].Addr = make([][]byte, 1), &b.addrs[i]
		b.addrs[i].IP = make(net.IP, 4)
	}
	for o := range c.outgoing {
		b.list = append(b.list[:0], o)
		for len(b.list) < sendBatch && b.more(c.outgoing) {
			continue
		}
		for rest := b.list; len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].link == rest[0].link {
				n++
			}
			c.sendLink(&b, rest[:n])
			rest = rest[n:]
		}
	}
}

// more takes another reply if there is one.
func (b *batcher) more(from chan outgoing) bool {
	select {
	case o, open := <-from:
		if open {
			b.list = append(b.list, o)
		}
		return open
	default:
		return false
	}
}

// sendLink sends replies of one link. One that cannot be sent costs that one.
func (c *crew) sendLink(b *batcher, list []outgoing) {
	l, sent := list[0].link, 0
	if len(list) > 1 && l.out != nil {
		for i, o := range list {
			ip := o.to.Addr().As4()
			copy(b.addrs[i].IP, ip[:])
			b.addrs[i].Port = int(o.to.Port())
			b.msgs[i].Buffers[0], b.msgs[i].OOB = o.b, l.oob
		}
		if n, err := l.out.WriteBatch(b.msgs[:len(list)], 0); err == nil {
			sent = n
		}
	}
	for _, o := range list[sent:] {
		c.send(l, o.b, o.to)
	}
}
