package fork

import "time"

// settle sends the final response once every branch is decided, and Done once
// nothing can come any more.
func (c *Context) settle(now time.Time) {
	if c.done {
		return
	}
	open := false
	undecided := false
	for _, b := range c.branches {
		open = open || b.state != closed
		undecided = undecided || !b.decided()
	}
	if c.final == 0 && !undecided {
		c.sendFinal(c.best())
	}
	if open || c.final == 0 {
		return
	}
	if c.lingerBy.IsZero() && c.hadSuccess() {
		c.lingerBy = now.Add(c.opt.Linger)
	}
	if c.lingerBy.IsZero() || !c.lingerBy.After(now) {
		c.done, c.lingerBy = true, time.Time{}
		c.emit(Action{Kind: Done})
	}
}

func (c *Context) sendFinal(a Action) {
	c.final, c.decideBy = a.Code, time.Time{}
	c.emit(a)
}

func (c *Context) hadSuccess() bool {
	for _, b := range c.branches {
		if b == c.winner || len(b.ended) > 0 {
			return true
		}
	}
	return false
}

// best is the response the caller gets when nobody answered (RFC 3261 section
// 16.7 step 6).
func (c *Context) best() Action {
	if c.canceled {
		return Action{Kind: ForwardUp, Branch: -1, Code: 487}
	}
	var best *branch
	unreachable := true // no phone has said anything
	for _, b := range c.branches {
		unreachable = unreachable && b.generated && b.result.Code == 503
		if best == nil || rank(b.result.Code) < rank(best.result.Code) {
			best = b
		}
	}
	switch {
	case best == nil || unreachable || best.result.Code == 430:
		return Action{Kind: ForwardUp, Branch: -1, Code: 480}
	case best.result.Code == 503:
		// A 503 would make the caller avoid us, not the phone.
		return Action{Kind: ForwardUp, Branch: -1, Code: 500}
	case best.generated:
		return Action{Kind: ForwardUp, Branch: -1, Code: best.result.Code}
	}
	return Action{
		Kind: ForwardUp, Branch: best.ID, Code: best.result.Code, Ref: best.result.Ref,
		Merge: c.challenges(best),
	}
}

// challenges are the other branches' 401 and 407, whose challenges the caller
// needs as well (RFC 3261 section 16.7 step 7).
func (c *Context) challenges(best *branch) []any {
	if best.result.Code != 401 && best.result.Code != 407 {
		return nil
	}
	var refs []any
	for _, b := range c.branches {
		if b != best && !b.generated && (b.result.Code == 401 || b.result.Code == 407) {
			refs = append(refs, b.result.Ref)
		}
	}
	return refs
}

// rank orders final responses: 6xx, then the lowest class; within 4xx first what
// the caller can mend, then that somebody is there but busy, last what only says that
// a phone was not there. Equal ranks: the branch started first.
func rank(code int) int {
	switch class := code / 100; {
	case class == 6:
		return 0
	case code == 401 || code == 407:
		return 40
	case code == 415 || code == 420 || code == 484 || code == 488:
		return 41
	case code == 486:
		return 42
	case code == 408 || code == 430 || code == 481 || code == 487:
		return 44
	case class == 4:
		return 43
	case code == 503:
		return 51
	default:
		return class * 10
	}
}
