package registrar

import (
	"context"
	"errors"
	"sync"

	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/location"
)

// state is what the request has come to, in memory that it keeps.
func (s *Server) state(r *edge.Request) *change {
	c, ok := r.State.(*change)
	if !ok {
		c = &change{server: s}
		r.State = c
	}
	c.r = r
	return c
}

// end forgets the request: the memory is for the next one.
func (c *change) end() { *c = change{server: c.server} }

// Begin implements edge.Grouper: everything up to the store, as long as nothing has to
// be waited for.
func (s handler) Begin(r *edge.Request) edge.Progress {
	c := s.state(r)
	c.end()
	c.r = r
	var lines [4]string
	res, known := s.digest.VerifyCached(proof(r, lines[:0]))
	if !known {
		return edge.Waits
	}
	if c.cred, c.authentic = s.admitted(r, res); !c.authentic {
		return edge.Answered
	}
	if !s.addressed(&r.Msg, c.cred) {
		return edge.Waits
	}
	if !c.prepare(context.Background()) { // which does not wait, since addressed
		return edge.Answered
	}
	if c.nameless || !c.update.RemoveAll && len(c.update.Contacts) == 0 {
		return edge.Waits // the bindings have to be looked up
	}
	return edge.Joined
}

// updates are reused memory of Commit.
var updates = sync.Pool{New: func() any { return new([]location.Update) }}

// Commit implements edge.Grouper.
func (s handler) Commit(group []*edge.Request, answered func(but []*edge.Request)) {
	list := updates.Get().(*[]location.Update)
	for _, r := range group {
		*list = append(*list, s.state(r).update)
	}
	s.store.Submit(*list, func(outs []location.Outcome) {
		clear(*list)
		*list = (*list)[:0]
		updates.Put(list)
		var but []*edge.Request
		defer func() { answered(but) }()
		for i, r := range group {
			s.edge.Guard(func() {
				if !s.state(r).outcome(outs[i]) {
					but = append(but, r)
				}
			})
		}
	})
}

// outcome answers with what has become of the update; false when something has to be
// waited for first.
func (c *change) outcome(out location.Outcome) bool {
	if errors.Is(out.Err, location.ErrTooMany) {
		return false // there may be contacts that make room
	}
	defer c.end()
	if out.Err != nil {
		c.server.failed(c.r, out.Err)
		return true
	}
	c.finish(out.Result)
	return true
}
