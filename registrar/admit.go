package registrar

import (
	"net/netip"
	"strconv"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/digest"
)

// Attempt is a request whose password was checked.
type Attempt struct {
	Method, Transport, UserAgent string
	Remote                       netip.AddrPort
	Result                       digest.Result
}

// Admit counts wrong passwords, for the proxy as well, and reports whether the
// result of the check may be told. When it may not, the answer must be the same
// whether the password was right or wrong.
func (s *Server) Admit(a Attempt) bool {
	now, user, addr := s.opts.Now(), a.Result.User, a.Remote.Addr()
	switch a.Result.Outcome {
	case digest.OK, digest.Stale, digest.Denied:
	default:
		return true
	}
	if s.bans.barred(addr, user, now) {
		return false
	}
	if a.Result.Outcome != digest.Denied {
		s.bans.right(addr, user, now)
		if a.Result.Outcome == digest.Stale {
			s.staleAgain(a, now)
		}
		return true
	}
	s.failedAuth(a, now)
	return true
}

// failedAuth counts, logs and records a wrong password, and the ban that it begins.
func (s *Server) failedAuth(a Attempt, now time.Time) {
	user, addr := a.Result.User, a.Remote.Addr()
	s.metrics.failures.Inc()
	e := phone.Event{
		At: now, Kind: phone.EventAuthFailed, DeviceID: a.Result.DeviceID, Proto: a.Transport,
		Outcome: "denied", Status: 401, UserAgent: a.UserAgent, Source: a.Remote.String(),
		Detail: "wrong password of the user " + strconv.Quote(user),
	}
	if !a.Result.Known {
		e.Detail = phone.DetailUnknownUser + " " + strconv.Quote(user)
	}
	if s.logs.Allow() {
		// The form is promised in docs/OPERATIONS.md: programs like fail2ban read it.
		// What others can choose stands behind the address.
		s.log.Warn("sip authentication failed", "source", addr.String(), "transport", a.Transport, "method", a.Method, "user", user)
	}
	s.opts.Recorder(e)
	used := s.bans.wrong(addr, user, now)
	if s.opts.Share != nil {
		w := Wrong{Addr: addr, User: user}
		if used != nobody {
			w.Banned = scopeNames[used]
		}
		s.opts.Share(w)
	}
	if used != nobody {
		// Not bounded by the limiter: the budget is.
		s.log.Warn("sip source banned", "source", addr.String(), "transport", a.Transport, "method", a.Method,
			"scope", scopeNames[used], "user", user)
		e.Outcome, e.Detail = "banned", "too many wrong passwords for one "+scopeNames[used]+", most further ones are ignored"
		s.opts.Recorder(e)
	}
}
