// Package fork is the response context of a forked INVITE (RFC 3261 section
// 16.7): which branch is rung, which response goes back to the caller, who is
// cancelled, and when. It is a pure state machine: events go in with the time
// they happened at, actions come out, and Next says when Tick wants to be
// called. It knows no SIP stack, no sockets, no goroutines and no clock.
package fork

import "time"

// CompletedElsewhere is the Reason of the CANCEL to phones that lost, so that
// they do not show a missed call (RFC 3326 section 2).
const CompletedElsewhere = `SIP;cause=200;text="Call completed elsewhere"`

// The reasons of the other CANCELs this package sends.
const (
	reasonDeclined = `SIP;cause=603;text="Declined"`
	reasonTimeout  = `SIP;cause=408;text="Request Timeout"`
)

// Defaults of Options. The 32 s are 64*T1 of RFC 3261 section 17.1.1.2.
const (
	DefaultTimerC     = 185 * time.Second
	DefaultNoResponse = 32 * time.Second
	DefaultCancelWait = 32 * time.Second
	DefaultHangupWait = 2 * time.Second
	DefaultLinger     = 32 * time.Second
)

// Options are the timers and policies of a Context; zero values are the defaults.
type Options struct {
	// TimerC ends a branch that rings without an answer, counted from its last
	// 1xx other than 100. RFC 3261 section 16.6 step 11 wants more than 3 minutes.
	TimerC time.Duration
	// NoResponse gives a branch up that has answered nothing at all. The branch
	// may still answer later and is then cancelled.
	NoResponse time.Duration
	// CancelWait is how long a cancelled branch may take to its final response
	// (RFC 3261 section 9.1 says 64*T1).
	CancelWait time.Duration
	// HangupWait is how long the caller waits for its final response once it is
	// clear that nobody will answer: after its CANCEL and after a 6xx.
	HangupWait time.Duration
	// Linger keeps an answered Context alive for repetitions of the 2xx
	// (Timer M of RFC 6026 section 8.4).
	Linger time.Duration
	// IgnoreDecline lets the other phones ring on when one answers 6xx. Without
	// it a 6xx ends the call for all (RFC 3261 section 16.7 step 5).
	IgnoreDecline bool
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&o.TimerC, DefaultTimerC},
		{&o.NoResponse, DefaultNoResponse},
		{&o.CancelWait, DefaultCancelWait},
		{&o.HangupWait, DefaultHangupWait},
		{&o.Linger, DefaultLinger},
	} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	return o
}

// Target is one contact to ring.
type Target struct {
	ID int // chosen by the caller, unique in a Context
	// Group is what must not be rung twice at once: the flows of one phone (RFC
	// 5626 section 7). The targets of a group are tried one after the other, the
	// next one only when the one before could not be reached. "" is no group.
	Group string
}

// Response is what a branch answered.
type Response struct {
	Code int    // 100 to 699
	Tag  string // To tag; tells repetitions of a 2xx from a second answer
	Ref  any    // handed back in the Action; not looked at
}

// Kind says what an Action asks for.
type Kind int

// The kinds of actions.
const (
	SendInvite Kind = iota + 1 // send the INVITE of Branch
	SendCancel                 // CANCEL Branch with Reason; it has answered 1xx
	ForwardUp                  // send Code (Response.Ref when not nil) to the caller
	AckBye                     // a 2xx of Branch lost: ACK it and end its dialog
	Ack                        // a repetition of such a 2xx: ACK again
	Done                       // nothing will happen any more
)

// Action is one thing the owner of the Context has to do, in order.
type Action struct {
	Kind   Kind
	Branch int    // all but Done; of a ForwardUp made here -1
	Code   int    // ForwardUp: status code to send
	Ref    any    // ForwardUp: the response, nil means make one; AckBye, Ack: the 2xx
	Merge  []any  // ForwardUp of 401 or 407: responses whose challenges belong to it
	Reason string // SendCancel: value of the Reason header; may be empty
}

type branchState int

const (
	calling branchState = iota // INVITE sent, nothing heard
	ringing                    // a provisional response has come
	leaving                    // cancelled, to be cancelled at its first 1xx, or given up
	closed                     // final response, or nothing will come any more
)

// branch is one client transaction. It is decided when result.Code is set: then
// it no longer counts for the outcome, though it may not be closed yet.
type branch struct {
	Target
	state      branchState
	result     Response
	generated  bool // result was made here: timeout, transport error
	cancelSent bool
	reason     string
	by         time.Time       // deadline of the state; zero when closed
	ended      map[string]bool // To tags of 2xx that were acknowledged and ended
}

func (b *branch) decided() bool { return b.result.Code != 0 }

// Context is the response context of one INVITE. One goroutine owns it.
type Context struct {
	opt      Options
	branches []*branch           // in the order they were started
	known    map[int]bool        // every target ever given
	queue    map[string][]Target // further targets of a group
	out      []Action            // of the event being handled
	stopping bool                // no new branches
	canceled bool                // by the caller
	final    int                 // code of the final response sent; 0 is none
	winner   *branch             // whose 2xx was forwarded
	decideBy time.Time           // when undecided branches stop counting
	lingerBy time.Time           // when an answered Context ends
	done     bool
}

// New makes a Context. Start has to be the first event.
func New(o Options) *Context {
	return &Context{opt: o.withDefaults(), known: map[int]bool{}, queue: map[string][]Target{}}
}

// Settled reports whether the final response has been given to the caller.
func (c *Context) Settled() bool { return c.final != 0 }

// Finished reports whether Done was given out.
func (c *Context) Finished() bool { return c.done }

// Next is when Tick has to be called; zero is never.
func (c *Context) Next() time.Time {
	next := earlier(c.decideBy, c.lingerBy)
	for _, b := range c.branches {
		next = earlier(next, b.by)
	}
	return next
}

// earlier ignores zero times.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (c *Context) find(id int) *branch {
	for _, b := range c.branches {
		if b.ID == id {
			return b
		}
	}
	return nil
}

func (c *Context) emit(a Action) { c.out = append(c.out, a) }

// take ends an event: it settles what can be settled and hands the actions out.
func (c *Context) take(now time.Time) []Action {
	c.settle(now)
	out := c.out
	c.out = nil
	return out
}
