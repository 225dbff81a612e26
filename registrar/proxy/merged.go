package proxy

import (
	"strconv"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// mergeTable knows the requests outside a dialog that are being handled, to find
// one that comes a second time by another path (RFC 3261 section 8.2.2.2). The
// Request-URI counts too: a request that comes back for somebody else is a spiral
// (section 16.3 step 4).
type mergeTable struct {
	mu      sync.Mutex
	pending map[string]bool
}

func newMergeTable() *mergeTable { return &mergeTable{pending: map[string]bool{}} }

// enter notes a request until leave is called; false when it is there already.
func (t *mergeTable) enter(req *sip.Request) (leave func(), ok bool) {
	if toTag(req) != "" {
		return func() {}, true
	}
	cseq := strconv.FormatUint(uint64(req.CSeq().SeqNo), 10)
	key := string(req.Method) + "\x00" + fromTag(req) + "\x00" + callID(req) + "\x00" + cseq + "\x00" + req.Recipient.String()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending[key] {
		return nil, false
	}
	t.pending[key] = true
	return func() {
		t.mu.Lock()
		delete(t.pending, key)
		t.mu.Unlock()
	}, true
}

// errMerged is the answer to the second one.
func errMerged() error { return refuse(sip.StatusLoopDetected) }
