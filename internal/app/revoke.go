package app

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

const (
	revokeTimeout = 5 * time.Second
	revokeRetry   = 5 * time.Second
	revokeAtOnce  = 16 // contacts of one update
)

// revoker removes what was registered with digest users that are no more: of a phone
// that was deleted or exchanged, of a line or an extension that was taken away. Its
// memory is bounded by the number of extensions.
type revoker struct {
	wake chan struct{} // capacity 1

	mu  sync.Mutex
	due map[string]bool // extensions to look at
}

func newRevoker() *revoker { return &revoker{wake: make(chan struct{}, 1), due: map[string]bool{}} }

// openRevoker follows the inventory. Every node looks, since the one that made the
// change may die before it has.
func (a *App) openRevoker(context.Context) error {
	a.revoker = newRevoker()
	a.inventory.OnChange(func(c inventory.Change) {
		switch {
		case len(c.Freed) > 0:
			a.revoker.add(c.Freed...)
		case c.Kind == inventory.ChangeExtension && c.Deleted:
			a.revoker.add(c.ID)
		}
	})
	return nil
}

func (r *revoker) add(extensions ...string) {
	r.mu.Lock()
	for _, e := range extensions {
		r.due[e] = true
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *revoker) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	due := slices.Sorted(maps.Keys(r.due))
	clear(r.due)
	return due
}

// revoke removes such contacts until ctx ends; what could not be removed is tried
// again.
func (a *App) revoke(ctx context.Context) error {
	retry := time.NewTimer(revokeRetry)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.revoker.wake:
		case <-retry.C:
		}
		for _, extension := range a.revoker.take() {
			if err := a.revokeAt(ctx, extension); err != nil && ctx.Err() == nil {
				a.log.WarnContext(ctx, "contacts of a revoked user not removed yet", slog.String("extension", extension), slog.Any("error", err))
				a.revoker.mu.Lock()
				a.revoker.due[extension] = true // without waking: later
				a.revoker.mu.Unlock()
				retry.Reset(revokeRetry)
			}
		}
	}
}

// revokeAt removes the contacts of an extension that no digest user stands for.
func (a *App) revokeAt(ctx context.Context, extension string) error {
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	aor := location.AOR(extension + "@" + strings.ToLower(a.cfg.SIP.Domain))
	bindings, err := a.location.Lookup(ctx, aor)
	if err != nil {
		return err
	}
	var gone []location.Contact
	for _, b := range bindings {
		switch _, err := a.inventory.Credential(ctx, b.AuthUser); {
		case errors.Is(err, phone.ErrNotFound):
			gone = append(gone, location.Contact{Binding: b})
		case err != nil:
			return err
		}
	}
	for some := range slices.Chunk(gone, revokeAtOnce) {
		if _, err := a.location.Apply(ctx, location.Update{AOR: aor, CallID: "revoked-" + rand.Text(), CSeq: 1, Contacts: some}); err != nil {
			return err
		}
	}
	return nil
}
