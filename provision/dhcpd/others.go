package dhcpd

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// maxOthers bounds the servers that are remembered; who was quiet longest is forgotten.
const maxOthers = 64

// Other is another DHCP server whose replies were overheard.
type Other struct {
	Server    netip.Addr // option 54, else the sender
	Interface string     // where it was heard last
	First     time.Time
	Last      time.Time
	Replies   int              // overheard since First
	Values    map[uint8]string // options 66, 67, 150 and 160 of its last reply
	Problem   string           // a sentence about its last reply; empty: it may be there
}

// others remembers the servers of the network by address.
type others struct {
	mu       sync.Mutex
	byServer map[netip.Addr]*Other
	ears     int // sockets that are open
}

// open counts the sockets that listen; n is 1 or -1.
func (o *others) open(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ears += n
}

// note remembers one reply.
func (o *others) note(f Foreign, link, problem string, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	one := o.byServer[f.Server]
	if one == nil {
		if o.byServer == nil {
			o.byServer = map[netip.Addr]*Other{}
		}
		if len(o.byServer) >= maxOthers {
			oldest := slices.MinFunc(slices.Collect(maps.Values(o.byServer)), func(a, b *Other) int { return a.Last.Compare(b.Last) })
			delete(o.byServer, oldest.Server)
		}
		one = &Other{Server: f.Server, First: now}
		o.byServer[f.Server] = one
	}
	one.Interface, one.Last, one.Values, one.Problem = link, now, f.Values, problem
	one.Replies++
}

// Others lists the other servers that were overheard since the start, in the order of
// their addresses; listening says whether they can be heard at all.
func (s *Server) Others() (list []Other, listening bool) {
	o := &s.others
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, one := range o.byServer {
		list = append(list, *one)
	}
	slices.SortFunc(list, func(a, b Other) int { return cmp.Compare(a.Server.String(), b.Server.String()) })
	return list, o.ears > 0
}
