package fork

import "time"

func (c *Context) add(now time.Time, t Target) {
	if c.known[t.ID] {
		return
	}
	c.known[t.ID] = true
	if t.Group != "" && c.groupBusy(t.Group) {
		c.queue[t.Group] = append(c.queue[t.Group], t)
		return
	}
	c.invite(now, t)
}

func (c *Context) invite(now time.Time, t Target) {
	c.branches = append(c.branches, &branch{Target: t, by: now.Add(c.opt.NoResponse)})
	c.emit(Action{Kind: SendInvite, Branch: t.ID})
}

func (c *Context) groupBusy(group string) bool {
	for _, b := range c.branches {
		if b.Group == group && !b.decided() {
			return true
		}
	}
	return false
}

// provisional: RFC 3261 section 16.7 step 2 and 9.1.
func (c *Context) provisional(now time.Time, b *branch, r Response) {
	switch b.state {
	case closed:
		return
	case leaving:
		c.cancel(now, b)
		return
	case calling:
		b.state, b.by = ringing, now.Add(c.opt.TimerC)
	case ringing:
		if r.Code > 100 {
			b.by = now.Add(c.opt.TimerC)
		}
	}
	if r.Code > 100 && c.final == 0 {
		c.emit(Action{Kind: ForwardUp, Branch: b.ID, Code: r.Code, Ref: r.Ref})
	}
}

// success: the first 2xx goes to the caller at once and so do its repetitions;
// the dialog of any other is ended by us, so that no phone is left off hook.
func (c *Context) success(now time.Time, b *branch, r Response) {
	switch {
	case c.final == 0:
		b.result, c.winner = r, b
		c.close(b)
		c.sendFinal(Action{Kind: ForwardUp, Branch: b.ID, Code: r.Code, Ref: r.Ref})
		c.stop(now, CompletedElsewhere)
	case c.winner == b && b.result.Tag == r.Tag:
		c.emit(Action{Kind: ForwardUp, Branch: b.ID, Code: r.Code, Ref: r.Ref})
	case b.ended[r.Tag]:
		c.emit(Action{Kind: Ack, Branch: b.ID, Ref: r.Ref})
	default:
		if b.ended == nil {
			b.ended = map[string]bool{}
		}
		b.ended[r.Tag] = true
		if !b.decided() {
			b.result = r
		}
		c.close(b)
		c.emit(Action{Kind: AckBye, Branch: b.ID, Ref: r.Ref})
	}
}

func (c *Context) failure(now time.Time, b *branch, r Response, generated bool) {
	if b.state == closed {
		return
	}
	fresh := !b.decided()
	if fresh {
		b.result, b.generated = r, generated
	}
	c.close(b)
	switch {
	case !fresh || c.stopping:
	case r.Code >= 600 && !c.opt.IgnoreDecline:
		c.stop(now, reasonDeclined)
	case r.Code == 408 || r.Code == 430 || r.Code == 503:
		c.nextOfGroup(now, b.Group)
	default:
		delete(c.queue, b.Group) // the phone has answered
	}
}

// nextOfGroup tries the next flow of a phone that could not be reached (RFC 5626
// section 7).
func (c *Context) nextOfGroup(now time.Time, group string) {
	q := c.queue[group]
	if group == "" || len(q) == 0 {
		return
	}
	c.queue[group] = q[1:]
	c.invite(now, q[0])
}

// expire is a branch whose deadline has come.
func (c *Context) expire(now time.Time, b *branch) {
	if b.state == leaving {
		if !b.decided() {
			b.result, b.generated = Response{Code: 487}, true
		}
		c.close(b)
		return
	}
	// RFC 3261 section 16.8: as if it had answered 408.
	b.result, b.generated = Response{Code: 408}, true
	c.leave(now, b, reasonTimeout)
	if !c.stopping {
		c.nextOfGroup(now, b.Group)
	}
}

// stop ends all branches that are still open and lets no new one in.
func (c *Context) stop(now time.Time, reason string) {
	c.stopping = true
	clear(c.queue)
	for _, b := range c.branches {
		if b.state == calling || b.state == ringing {
			c.leave(now, b, reason)
		}
	}
	if c.final == 0 {
		c.decideBy = now.Add(c.opt.HangupWait)
	}
}

// leave cancels a branch, or remembers to: no CANCEL may be sent before the
// first provisional response (RFC 3261 section 9.1).
func (c *Context) leave(now time.Time, b *branch, reason string) {
	rang := b.state == ringing
	b.state, b.reason, b.by = leaving, reason, now.Add(c.opt.CancelWait)
	if rang {
		c.cancel(now, b)
	}
}

func (c *Context) cancel(now time.Time, b *branch) {
	if b.cancelSent {
		return
	}
	b.cancelSent, b.by = true, now.Add(c.opt.CancelWait)
	c.emit(Action{Kind: SendCancel, Branch: b.ID, Reason: b.reason})
}

func (c *Context) close(b *branch) { b.state, b.by = closed, time.Time{} }
