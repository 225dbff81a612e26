package app

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
)

// layers keeps the layers of settings as they were last read.
type layers struct {
	stack atomic.Pointer[settings.Stack]
}

// Stack is the layers of now.
func (l *layers) Stack() *settings.Stack { return l.stack.Load() }

// openLayers reads the layers and follows their changes, on other nodes too. What
// cannot be read leaves the old ones in use.
func (a *App) openLayers(ctx context.Context) error {
	read := func(ctx context.Context) error {
		all, revision, err := a.inventory.Layers(ctx)
		if err == nil {
			a.layers.stack.Store(settings.NewStack(revision, all))
		}
		return err
	}
	if err := read(ctx); err != nil {
		return fmt.Errorf("layers of settings: %w", err)
	}
	a.inventory.OnChange(func(c inventory.Change) {
		if c.Kind != inventory.ChangeSettings && c.Kind != inventory.ChangeUnknown {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := read(ctx); err != nil {
			a.log.ErrorContext(ctx, "the layers of settings could not be read again", "error", err)
		}
	})
	return nil
}

// followDirectory lets the phone books follow the extensions.
func (a *App) followDirectory() {
	a.inventory.OnChange(func(c inventory.Change) {
		if c.Kind == inventory.ChangeExtension || c.Kind == inventory.ChangeUnknown {
			a.files.DirectoryChanged()
		}
	})
}

// effective is what the layers make of a phone, over what the server says.
func (a *App) effective(d phone.Device) settings.Effective {
	model := d.Model
	if m, ok := catalog.Lookup(string(d.Vendor), d.Model); ok {
		model = m.Code
	}
	return a.layers.Stack().Effective(d, model, a.files.Base())
}
