package proxy

import (
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// ackOrder keeps the requests of a dialog behind an ACK that came before them. sipgo
// handles each message in a goroutine of its own: the BYE of a caller who hangs up at
// once would reach the phone first.
type ackOrder struct {
	mu      sync.Mutex
	pending map[string]pendingAck // by Call-ID
}

// pendingAck is an ACK that was read and is not on its way yet.
type pendingAck struct {
	at   time.Time
	sent chan struct{} // closed when it is
}

const (
	// ackWait is how long a request waits for the ACK before it. Those of the
	// transactions of sipgo never get to us.
	ackWait = 100 * time.Millisecond
	maxAcks = 4096
)

func newAckOrder() *ackOrder { return &ackOrder{pending: map[string]pendingAck{}} }

// read notes an ACK that may be of a dialog; it is called for messages in their order.
func (o *ackOrder) read(req *sip.Request) {
	if req.Method != sip.ACK || req.CallID() == nil || len(req.GetHeaders("Route")) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.pending) >= maxAcks {
		clear(o.pending) // who waits does so for ackWait
	}
	o.pending[callID(req)] = pendingAck{time.Now(), make(chan struct{})}
}

// done says that the ACK is on its way, or goes nowhere.
func (o *ackOrder) done(req *sip.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p, ok := o.pending[callID(req)]; ok {
		delete(o.pending, callID(req))
		close(p.sent)
	}
}

// wait waits until no ACK of the dialog is before req.
func (o *ackOrder) wait(req *sip.Request) {
	if toTag(req) == "" {
		return
	}
	o.mu.Lock()
	p, ok := o.pending[callID(req)]
	o.mu.Unlock()
	left := ackWait - time.Since(p.at)
	if !ok || left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-p.sent:
	case <-timer.C:
	}
}
