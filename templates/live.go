package templates

import (
	"io"
	"sync/atomic"
)

// Live is the library in use, which a reload replaces as a whole. By itself it
// renders the built-in templates; Library says which stand in for them.
type Live struct{ library atomic.Pointer[Library] }

// NewLive starts with l.
func NewLive(l *Library) *Live {
	live := &Live{}
	live.library.Store(l)
	return live
}

// Library returns the library in use.
func (l *Live) Library() *Library { return l.library.Load() }

// Swap puts a library in use from the next file on.
func (l *Live) Swap(next *Library) { l.library.Store(next) }

// Render is Set.Render of the built-in templates.
func (l *Live) Render(w io.Writer, name string, v View) error {
	return l.Library().Base().Render(w, name, v)
}

// RenderMasked is Set.RenderMasked of the built-in templates.
func (l *Live) RenderMasked(w io.Writer, name string, v View) error {
	return l.Library().Base().RenderMasked(w, name, v)
}

// Revision changes whenever a file can come out otherwise.
func (l *Live) Revision() string { return l.Library().Revision() }
