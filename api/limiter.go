package api

import (
	"crypto/sha256"
	"math"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	failureBurst   = 20  // wrong keys a source may send at once
	failureRate    = 0.5 // and per second after that
	maxSources     = 4096
	maxKnownHashes = 1024
)

// failureLimiter counts wrong keys per source address. Both maps are bounded.
type failureLimiter struct {
	mu      sync.Mutex
	sources map[netip.Prefix]*rate.Limiter
	known   map[[sha256.Size]byte]bool // hashes of keys that were good once
}

func newFailureLimiter() *failureLimiter {
	return &failureLimiter{
		sources: make(map[netip.Prefix]*rate.Limiter),
		known:   make(map[[sha256.Size]byte]bool),
	}
}

// wait is how many seconds the source must wait before it may try a key with
// this hash; 0 is now.
func (f *failureLimiter) wait(source netip.Prefix, hash [sha256.Size]byte, now time.Time) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.sources[source]
	if l == nil || f.known[hash] {
		return 0
	}
	tokens := l.TokensAt(now)
	if tokens >= 1 {
		return 0
	}
	return int(math.Ceil((1 - tokens) / failureRate))
}

// failed takes one token from the source.
func (f *failureLimiter) failed(source netip.Prefix, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.sources[source]
	if l == nil {
		f.makeRoomLocked(now)
		l = rate.NewLimiter(failureRate, failureBurst)
		f.sources[source] = l
	}
	l.AllowN(now, 1)
}

// makeRoomLocked forgets sources that are back at a full budget, and if there
// are none any one, so that the map stays bounded.
func (f *failureLimiter) makeRoomLocked(now time.Time) {
	if len(f.sources) < maxSources {
		return
	}
	for source, l := range f.sources {
		if l.TokensAt(now) >= failureBurst {
			delete(f.sources, source)
		}
	}
	for source := range f.sources {
		if len(f.sources) < maxSources {
			return
		}
		delete(f.sources, source)
	}
}

// good remembers the hash of a key that authenticated. It is only ever used to
// let a request reach the store, which decides.
func (f *failureLimiter) good(hash [sha256.Size]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.known) >= maxKnownHashes {
		clear(f.known)
	}
	f.known[hash] = true
}

// sourceOf is the peer's address: all of an IPv4 address, the /64 of an IPv6
// one, which is what one subscriber holds. Headers of proxies are not believed.
func sourceOf(r *http.Request) netip.Prefix {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.Prefix(bits) // bits always fit the address
	return p
}
