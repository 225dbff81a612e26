package proxy

import (
	"sync"
	"time"

	"pbx.dev/dialtone/registrar/fork"
	"pbx.dev/dialtone/registrar/location"
)

// ringTable knows the calls that wait for an answer, by the extension they are
// for, so that a phone that registers meanwhile rings too.
type ringTable struct {
	mu    sync.Mutex
	calls map[location.AOR]map[*relay]bool
}

func newRingTable() *ringTable { return &ringTable{calls: map[location.AOR]map[*relay]bool{}} }

// add makes a call known until remove is called. Requests of a dialog ring
// nobody, those for one phone no other, and are left out.
func (t *ringTable) add(r *relay) (remove func()) {
	if r.plan.dialog || r.plan.direct {
		return func() {}
	}
	aor := r.p.aor(r.plan.callee)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls[aor] == nil {
		t.calls[aor] = map[*relay]bool{}
	}
	t.calls[aor][r] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if delete(t.calls[aor], r); len(t.calls[aor]) == 0 {
			delete(t.calls, aor)
		}
	}
}

func (t *ringTable) of(aor location.AOR) []*relay {
	t.mu.Lock()
	defer t.mu.Unlock()
	var rs []*relay
	for r := range t.calls[aor] {
		rs = append(rs, r)
	}
	return rs
}

// Registered says that a binding is new or has changed: the phone joins the calls
// that ring its extension right now. A phone that rings already is not rung
// again, unless its first connection fails. It does not block.
func (p *Proxy) Registered(b location.Binding) {
	for _, r := range p.ringing.of(b.AOR) {
		if p.work.enter() {
			go func() {
				defer p.work.leave()
				r.post(func(now time.Time) []fork.Action { return r.join(now, b) })
			}()
		}
	}
}

// join adds a target; it runs in the goroutine of the relay.
func (r *relay) join(now time.Time, b location.Binding) []fork.Action {
	t, err := r.p.contact(b)
	own := r.plan.caller.Extension == r.plan.callee && sameFlow(t.flow, r.in.from)
	if err != nil || own || len(r.plan.targets) == maxTargets {
		return nil
	}
	for _, have := range r.plan.targets {
		if have.binding.ID == b.ID && b.Instance == "" || have.flow == t.flow && have.uri.String() == t.uri.String() {
			return nil
		}
	}
	t.breadth = 1
	r.plan.targets = append(r.plan.targets, t)
	return r.fork.Join(now, fork.Target{ID: len(r.plan.targets) - 1, Group: t.group})
}
