package fork

import "time"

// Start rings the targets, those of one group one after the other. Without any
// target the caller gets 480 (RFC 3261 section 16.5).
func (c *Context) Start(now time.Time, targets []Target) []Action {
	if c.done {
		return nil // the caller cancelled before the targets were known
	}
	for _, t := range targets {
		c.add(now, t)
	}
	return c.take(now)
}

// Join adds a target that registered while the others ring. It is ignored when
// the call is decided already.
func (c *Context) Join(now time.Time, t Target) []Action {
	if c.stopping || c.final != 0 || c.done {
		return nil
	}
	c.add(now, t)
	return c.take(now)
}

// Respond is a response on a branch, in any order and any number of times.
func (c *Context) Respond(now time.Time, id int, r Response) []Action {
	b := c.find(id)
	if b == nil || c.done {
		return nil
	}
	switch {
	case r.Code < 200:
		c.provisional(now, b, r)
	case r.Code < 300:
		c.success(now, b, r)
	default:
		c.failure(now, b, r, false)
	}
	return c.take(now)
}

// Fail is the end of a branch without a final response: code is 408 when its
// transaction timed out and 503 when it could not be sent (RFC 3261 section 16.9).
func (c *Context) Fail(now time.Time, id, code int) []Action {
	b := c.find(id)
	if b == nil || c.done {
		return nil
	}
	c.failure(now, b, Response{Code: code}, true)
	return c.take(now)
}

// Moved is a 3xx of a branch whose targets have been joined. It is no response to
// choose from any more (RFC 3261 section 16.7 step 4): the branch counts as one
// that could not be reached.
func (c *Context) Moved(now time.Time, id int) []Action {
	b := c.find(id)
	if b == nil || c.done || b.state == closed {
		return nil
	}
	if !b.decided() {
		b.result, b.generated = Response{Code: 503}, true
	}
	c.close(b)
	delete(c.queue, b.Group) // the phone has answered
	return c.take(now)
}

// Cancel is the caller's CANCEL; reason is its Reason header, if any. A 2xx that
// crosses it still wins until the 487 is out.
func (c *Context) Cancel(now time.Time, reason string) []Action {
	if c.final != 0 || c.canceled || c.done {
		return nil
	}
	c.canceled = true
	c.stop(now, reason)
	return c.take(now)
}

// Abort ends the call from our side: code goes to the caller at once.
func (c *Context) Abort(now time.Time, code int) []Action {
	if c.done {
		return nil
	}
	if c.final == 0 {
		c.stop(now, "")
		c.sendFinal(Action{Kind: ForwardUp, Branch: -1, Code: code})
	}
	return c.take(now)
}

// Tick handles what is due at now; see Next.
func (c *Context) Tick(now time.Time) []Action {
	if c.done {
		return nil
	}
	for _, b := range c.branches { // a branch added here has its deadline ahead
		if !b.by.IsZero() && !b.by.After(now) {
			c.expire(now, b)
		}
	}
	if !c.decideBy.IsZero() && !c.decideBy.After(now) {
		c.decideBy = time.Time{}
		for _, b := range c.branches {
			if !b.decided() {
				b.result, b.generated = Response{Code: 487}, true
			}
		}
	}
	return c.take(now)
}
