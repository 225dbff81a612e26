package registrar

import (
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pbx.dev/dialtone/registrar/edge"
)

// How many wrong passwords are looked at: a row of burst, then rate a second. Only
// a password that was wrong counts; a first challenge and a stale nonce do not.
const (
	// For one user from one address: a phone with a typing error.
	failureBurst = 20
	failureRate  = 0.1
	// From one address: somebody who tries users. Ten wrong phones behind one NAT
	// do not come near it.
	sourceBurst = 200
	sourceRate  = 1
	// For one user from anywhere: somebody with many addresses.
	userBurst = 200
	userRate  = 0.5
	// A phone that knows what stale means comes once and is right the next time.
	staleBurst = 5
	staleRate  = 1. / 120
	// A user who has had the right password at an address is not affected by what
	// others do there, or for him elsewhere, for a day.
	goodFor = 24 * time.Hour
)

// bans decide whose passwords are still looked at. All tables have a fixed size.
type bans struct {
	pairs, sources, users *edge.Budgets
	// good holds who was right where: less than a whole token is left.
	good *edge.Budgets
	// stale are nonces that were no longer good, by address and user.
	stale   *edge.Budgets
	started [3]prometheus.Counter // by scope
}

type scope int

const (
	ofPair scope = iota
	ofSource
	ofUser
	nobody scope = -1
)

var scopeNames = [3]string{"source and user", "source", "user"}

func newBans(reg prometheus.Registerer) *bans {
	b := &bans{
		pairs:   edge.NewBudgets(1<<14, failureRate, failureBurst),
		sources: edge.NewBudgets(1<<14, sourceRate, sourceBurst),
		users:   edge.NewBudgets(1<<14, userRate, userBurst),
		good:    edge.NewBudgets(1<<16, 1/goodFor.Seconds(), 1),
		stale:   edge.NewBudgets(1<<12, staleRate, staleBurst),
	}
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_sip_bans_total", Help: "Times that wrong passwords used up what is looked at, by what they had in common.",
	}, []string{"scope"})
	for i, name := range [3]string{"pair", "source", "user"} {
		b.started[i] = counter.WithLabelValues(name)
	}
	if reg != nil {
		reg.MustRegister(counter)
	}
	return b
}

// barred reports whether nothing is looked at from addr for user any more.
func (b *bans) barred(addr netip.Addr, user string, now time.Time) bool {
	pair := b.pairs.Key(addr, user)
	if !b.pairs.Has(pair, 1, now) {
		return true
	}
	if b.sources.Has(b.sources.Key(addr, ""), 1, now) && b.users.Has(b.users.Key(netip.Addr{}, user), 1, now) {
		return false
	}
	return b.good.Has(b.good.Key(addr, user), 1, now)
}

// wrong counts a wrong password and says what it has used up.
func (b *bans) wrong(addr netip.Addr, user string, now time.Time) scope {
	used := nobody
	for _, t := range []struct {
		of    scope
		table *edge.Budgets
		key   uint64
	}{
		{ofUser, b.users, b.users.Key(netip.Addr{}, user)},
		{ofSource, b.sources, b.sources.Key(addr, "")},
		{ofPair, b.pairs, b.pairs.Key(addr, user)},
	} {
		if t.table.Take(t.key, 1, now) && !t.table.Has(t.key, 1, now) {
			used = t.of
			b.started[t.of].Inc()
		}
	}
	return used
}

// right remembers that user had the right password at addr.
func (b *bans) right(addr netip.Addr, user string, now time.Time) {
	b.good.Take(b.good.Key(addr, user), 0.5, now)
}

// Wrong is a wrong password, as the nodes tell it each other.
type Wrong struct {
	Addr netip.Addr
	User string
	// Banned says what has used up its budget by it: "source and user", "source",
	// "user" or nothing.
	Banned string
}

// Count counts a wrong password that another node was given.
func (s *Server) Count(w Wrong) { s.bans.wrong(w.Addr, w.User, s.opts.Now()) }

// whole is how long a budget takes to be whole again, by scope.
var whole = [3]time.Duration{
	failureBurst / failureRate * time.Second, sourceBurst / sourceRate * time.Second, userBurst / userRate * time.Second,
}

// BanTime is how long a ban of that name can be felt.
func BanTime(banned string) time.Duration {
	if i := slices.Index(scopeNames[:], banned); i >= 0 {
		return whole[i]
	}
	return 0
}

// Ban takes over a ban that began before the start or at another node, and of which
// left remains.
func (s *Server) Ban(w Wrong, left time.Duration) {
	i, now := slices.Index(scopeNames[:], w.Banned), s.opts.Now()
	if i < 0 || left <= 0 {
		return
	}
	b := s.bans
	spent := min(1, left.Seconds()/whole[i].Seconds())
	switch scope(i) {
	case ofPair:
		b.pairs.Take(b.pairs.Key(w.Addr, w.User), spent*failureBurst, now)
	case ofSource:
		b.sources.Take(b.sources.Key(w.Addr, ""), spent*sourceBurst, now)
	case ofUser:
		b.users.Take(b.users.Key(netip.Addr{}, w.User), spent*userBurst, now)
	}
}
