package edge

import (
	"runtime"
	"sync"
)

// maxPending bounds the answers that wait for the socket.
const maxPending = 16 << 10

// sender sends datagrams in batches. Whoever adds one while nobody is sending
// sends for all: there is no goroutine to wake.
type sender struct {
	server *Server
	io     packetIO

	mu      sync.Mutex
	pending []outgoing
	spare   []outgoing // memory of the batch sent before
	sending bool
}

// add takes a datagram, and with now sends it, unless somebody else is about to.
// Without now a later flush sends it.
func (s *sender) add(o outgoing, now bool) {
	s.mu.Lock()
	if len(s.pending) >= maxPending {
		s.mu.Unlock()
		s.server.metrics.dropped[dropSend].Inc()
		s.server.recycle(o.buf)
		return
	}
	s.pending = append(s.pending, o)
	mine := now && !s.sending
	s.sending = s.sending || mine
	s.mu.Unlock()
	if mine {
		// Others whose update was committed together with this one are about to
		// answer too: one system call for all of them.
		runtime.Gosched()
		s.drain()
	}
}

// flush sends what is pending.
func (s *sender) flush() {
	s.mu.Lock()
	mine := !s.sending && len(s.pending) > 0
	s.sending = s.sending || mine
	s.mu.Unlock()
	if mine {
		s.drain()
	}
}

// drain sends until nothing is pending. The caller has set sending.
func (s *sender) drain() {
	for {
		s.mu.Lock()
		batch := s.pending
		s.pending, s.spare = s.spare[:0], nil
		s.sending = len(batch) > 0
		s.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		s.send(batch)
		clear(batch)
		s.mu.Lock()
		s.spare = batch
		s.mu.Unlock()
	}
}

func (s *sender) send(batch []outgoing) {
	for len(batch) > 0 {
		n := min(len(batch), batchSize)
		lost, err := s.io.write(batch[:n])
		if lost > 0 {
			s.server.metrics.dropped[dropSend].Add(float64(lost))
		}
		if ignoreClosed(err) != nil {
			s.server.noise("cannot send over udp", "error", err)
		}
		for _, o := range batch[:n] {
			s.server.recycle(o.buf)
		}
		batch = batch[n:]
	}
}
