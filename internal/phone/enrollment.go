package phone

import (
	"net/netip"
	"time"
)

// Enrollment is a window in which phones nobody knows are let in. It closes by
// itself: when its time is over, or when it has let in as many phones as it may.
type Enrollment struct {
	ID       string       // "enroll_" and an opaque part
	Auto     bool         // a phone takes the next free extension; false: it shows a claim code
	Phones   int          // how many it may let in
	Taken    int          // how many it has let in
	Subnet   netip.Prefix // where they come from; invalid: anywhere that has the assurance
	OpenedAt time.Time
	ClosesAt time.Time
}

// Open reports whether the window takes phones at a time. One that is full still
// knows those it has taken.
func (e Enrollment) Open(now time.Time) bool { return e.ID != "" && now.Before(e.ClosesAt) }
