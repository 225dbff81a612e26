package templates

import (
	"io"
	"sync/atomic"
)

// Live is the set in use, which a reload replaces as a whole.
type Live struct{ set atomic.Pointer[Set] }

// NewLive starts with s.
func NewLive(s *Set) *Live {
	l := &Live{}
	l.set.Store(s)
	return l
}

// Set returns the set in use.
func (l *Live) Set() *Set { return l.set.Load() }

// Swap puts s in use from the next file on.
func (l *Live) Swap(s *Set) { l.set.Store(s) }

// Render is Set.Render of the set in use.
func (l *Live) Render(w io.Writer, name string, v View) error { return l.Set().Render(w, name, v) }

// RenderMasked is Set.RenderMasked of the set in use.
func (l *Live) RenderMasked(w io.Writer, name string, v View) error {
	return l.Set().RenderMasked(w, name, v)
}

// Revision is Set.Revision of the set in use.
func (l *Live) Revision() string { return l.Set().Revision() }
