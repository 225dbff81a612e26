package location

import (
	"context"
	"fmt"
)

// Drop implements Store. Without the server nothing is dropped: who asked asks
// again, and meanwhile a phone is not called over a connection that has ended.
func (r *Resilient) Drop(ctx context.Context, f FlowEnd) error {
	if r.degraded.Load() {
		return fmt.Errorf("drop flow of %s: %w", f.AOR, ErrUnavailable)
	}
	if r.waiting.Load() > 0 {
		_ = r.settle(ctx, f.AOR)
	}
	err := r.store.Drop(ctx, f)
	if err != nil {
		r.fellOver(ctx, err)
		return err
	}
	for _, b := range r.mirror.Bindings(f.AOR) {
		if f.over(&b) {
			r.recent.forget(b.AOR, b.ID)
		}
	}
	return nil
}

// Lookup implements Store.
func (r *Resilient) Lookup(ctx context.Context, aor AOR) ([]Binding, error) {
	if !r.degraded.Load() {
		if r.waiting.Load() > 0 {
			_ = r.settle(ctx, aor)
		}
		bindings, err := r.store.Lookup(ctx, aor)
		if !r.fellOver(ctx, err) {
			return bindings, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("look up %s: %w: %w", aor, ErrUnavailable, err)
	}
	if !r.mirror.Ready() {
		return nil, fmt.Errorf("look up %s: %w: no mirror yet", aor, ErrUnavailable)
	}
	r.metrics.lookups.Inc()
	return r.view(aor, r.storeNow()), nil
}

// Freshen lets the mirror learn now how long the contacts of an AOR are good: plain
// refreshes at other nodes it learns of when their old end has come, otherwise.
func (r *Resilient) Freshen(ctx context.Context, aor AOR) error {
	if r.degraded.Load() {
		return nil // it knows what there is to know
	}
	bindings, err := r.store.Lookup(ctx, aor)
	if err != nil {
		r.fellOver(ctx, err)
		return err
	}
	r.mirror.learnGrants(bindings)
	return nil
}

// List implements Store. A listing that the store began cannot be continued
// without it.
func (r *Resilient) List(ctx context.Context, cursor string, limit int) ([]Binding, string, error) {
	if !r.degraded.Load() && !isMirrorCursor(cursor) {
		page, next, err := r.store.List(ctx, cursor, limit)
		if !r.fellOver(ctx, err) || cursor != "" {
			return page, next, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, "", fmt.Errorf("list: %w: %w", ErrUnavailable, err)
	}
	if cursor != "" && !isMirrorCursor(cursor) || !r.mirror.Ready() {
		return nil, "", fmt.Errorf("list: %w", ErrUnavailable)
	}
	r.metrics.lists.Inc()
	return r.listHere(cursor, limit)
}

// Watch implements Store: the changes are those of the store.
func (r *Resilient) Watch(ctx context.Context, fn func(Change)) error { return r.store.Watch(ctx, fn) }

// Ping implements Store. In degraded mode it fails at once.
func (r *Resilient) Ping(ctx context.Context) error {
	if mode := r.Mode(); mode != "" {
		return fmt.Errorf("%w: %s", ErrUnavailable, mode)
	}
	err := r.store.Ping(ctx)
	r.fellOver(ctx, err)
	return err
}

// Close implements Store.
func (r *Resilient) Close() error { return r.store.Close() }
