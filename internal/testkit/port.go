package testkit

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

var ports struct {
	sync.Mutex
	given map[int]bool
}

// FreePort returns a port of loopback for a program that cannot choose one itself.
// It and the next one were free a moment ago, for TCP and UDP, and lie below those
// that the kernel gives to clients, so that nobody gets them by chance. A process
// gets each of them once.
func FreePort(t testing.TB) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		ports.given = map[int]bool{}
	}
	for range 1000 {
		port := 10000 + 2*rand.IntN(6000)
		if !ports.given[port] && free(port) && free(port+1) {
			ports.given[port] = true
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func free(port int) bool {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer l.Close()
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	defer c.Close()
	return true
}
