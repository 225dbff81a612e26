package location

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// view is what this node knows of an AOR: the mirror, what it granted lately, and
// what it holds for the store.
func (r *Resilient) view(aor AOR, now int64) []Binding {
	known := r.mirror.Bindings(aor)
	for i := range known {
		r.recent.correct(&known[i])
	}
	r.mu.Lock()
	if p := r.pending[aor]; p != nil {
		for _, h := range p.held {
			known = slices.DeleteFunc(known, func(b Binding) bool { return b.ID == h.ID })
			if !h.Gone {
				known = append(known, h.Binding)
			}
		}
	}
	r.mu.Unlock()
	unheard := r.degraded.Load() && toMillis(r.now()) < r.since.Load()+keepUnheard.Milliseconds()
	out := known[:0]
	for _, b := range known {
		switch {
		case b.live(now):
		case unheard:
			b.ExpiresAt = fromMillis(now + r.opts.ShortMin.Milliseconds())
		default:
			continue
		}
		out = append(out, b)
	}
	sortBindings(out)
	return out
}

// applyHere makes an update on what this node knows, and holds it for the store.
func (r *Resilient) applyHere(ctx context.Context, u *Update) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("apply to %s: %w: %w", u.AOR, ErrUnavailable, err)
	}
	now := r.storeNow()
	known := r.view(u.AOR, now)
	short := *u
	short.Contacts = slices.Clone(u.Contacts)
	for i := range short.Contacts {
		c := &short.Contacts[i]
		if c.TTL <= 0 {
			continue
		}
		if !slices.ContainsFunc(known, func(b Binding) bool { return b.ID == c.ID }) {
			r.metrics.refused.Inc()
			return Result{}, fmt.Errorf("apply to %s: %w: a new contact in degraded mode", u.AOR, ErrUnavailable)
		}
		c.TTL = min(c.TTL, r.shortExpiry())
	}
	next, changes, err := decide(nil, known, &short, now)
	if err != nil {
		return Result{}, fmt.Errorf("apply to %s: %w", u.AOR, err)
	}
	r.metrics.refreshes.Inc()
	r.hold(u, changes, now)
	return Result{Bindings: next, Now: fromMillis(now)}, nil
}

// shortExpiry is a whole number of seconds within the bounds.
func (r *Resilient) shortExpiry() time.Duration {
	d := r.opts.ShortMin
	if more := r.opts.ShortMax - r.opts.ShortMin; more > 0 {
		d += rand.N(more)
	}
	return max(d.Truncate(time.Second), min(r.opts.ShortMin, time.Second))
}

// hold keeps changes for the store and shows them in the mirror.
func (r *Resilient) hold(u *Update, changes []Change, now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		h := Held{Binding: c.Binding}
		switch c.Kind {
		case Refreshed, Changed:
			h.Binding = h.clone()
			r.recent.note(&h.Binding)
		case Removed:
			h.Gone, h.CallID, h.CSeq, h.RefreshedAt = true, strings.Clone(u.CallID), u.CSeq, fromMillis(now)
			r.recent.forget(h.AOR, h.ID)
		case Added, Evicted, Expired:
			continue // there are none: nothing is new, and what has run out is not in the view
		}
		p := r.pendingOf(h.AOR)
		p.held = append(slices.DeleteFunc(p.held, func(o Held) bool { return o.ID == h.ID }), h)
		p.version++
		r.mirror.learn(Change{c.Kind, h.Binding})
	}
}

// pendingOf returns what is held of an AOR; r.mu is held.
func (r *Resilient) pendingOf(aor AOR) *pending {
	p := r.pending[aor]
	if p == nil {
		p = &pending{}
		r.pending[aor] = p
		r.waiting.Store(int64(len(r.pending)))
		r.metrics.pending.Set(float64(len(r.pending)))
	}
	return p
}

// The cursor of a listing of the mirror is told from the store's by its mark,
// which base64 does not have.
const mirrorCursor = "~"

func isMirrorCursor(cursor string) bool { return strings.HasPrefix(cursor, mirrorCursor) }

// listHere lists what this node knows, by AOR and ID.
func (r *Resilient) listHere(cursor string, limit int) ([]Binding, string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(cursor, mirrorCursor))
	if err != nil {
		return nil, "", errCursor
	}
	after := string(raw)
	first, _, _ := strings.Cut(after, "\x00")
	limit = pageSize(limit)
	now := r.storeNow()
	var page []Binding
	for _, aor := range r.mirror.names(AOR(first)) {
		for _, b := range byID(r.view(aor, now)) {
			if member(b.AOR, b.ID) <= after {
				continue
			}
			if len(page) == limit {
				last := &page[limit-1]
				return page, mirrorCursor + base64.RawURLEncoding.EncodeToString([]byte(member(last.AOR, last.ID))), nil
			}
			page = append(page, b)
		}
	}
	return page, "", nil
}

// names returns the AORs of the mirror from first on, in order.
func (m *Mirror) names(first AOR) []AOR {
	m.mu.RLock()
	out := make([]AOR, 0, len(m.aors))
	for aor := range m.aors {
		if aor >= first {
			out = append(out, aor)
		}
	}
	m.mu.RUnlock()
	slices.Sort(out)
	return out
}
