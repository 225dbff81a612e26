// Package location is the location service of RFC 3261 section 10: which
// contacts an address-of-record has right now. It states the contract that its
// two stores, Memory (embedded, durable) and Redis, both keep, and imports
// nothing else of dialtone, so that the API can read registrations without SIP.
package location

import (
	"context"
	"errors"
	"time"
)

// AOR is a canonical address-of-record, "user@domain": domain in lower case,
// no URI parameters, no port, user unescaped (RFC 3261 section 10.3 step 5).
type AOR string

// Binding is one live contact of an AOR.
type Binding struct {
	AOR          AOR       `json:"aor"`
	ID           string    `json:"id"`               // stable over refreshes; from instance and reg-id, else from the contact URI
	Contact      string    `json:"contact"`          // the contact URI, byte for byte as the phone wrote it
	Params       string    `json:"params,omitempty"` // contact header parameters to echo, without expires; starts with ';'
	Received     string    `json:"received"`         // ip:port the REGISTER came from
	Transport    string    `json:"transport"`        // "udp", "tcp", "tls", "ws", "wss"
	Socket       string    `json:"socket,omitempty"` // our local ip:port that received it
	Node         string    `json:"node,omitempty"`   // id of the node that holds the flow
	Boot         string    `json:"boot,omitempty"`   // boot id of that node when it accepted the flow
	Flow         string    `json:"flow,omitempty"`   // connection id on that node; empty for udp
	Path         []string  `json:"path,omitempty"`   // RFC 3327 vector, top first
	CallID       string    `json:"callId"`
	CSeq         uint32    `json:"cseq"`
	Instance     string    `json:"instance,omitempty"` // +sip.instance without quotes and angle brackets
	RegID        int       `json:"regId,omitempty"`    // RFC 5626; 0 when absent
	Q            int       `json:"q"`                  // 0..1000, thousandths; 1000 when absent
	UserAgent    string    `json:"userAgent,omitempty"`
	AuthUser     string    `json:"authUser"`     // digest user that registered it
	Device       string    `json:"device"`       // whose contact it is, for eviction and scoped removal
	RegisteredAt time.Time `json:"registeredAt"` // when this binding was first made
	RefreshedAt  time.Time `json:"refreshedAt"`
	ExpiresAt    time.Time `json:"expiresAt"`
}

// Update is one REGISTER, applied all or nothing (RFC 3261 section 10.3 step 7).
type Update struct {
	AOR    AOR
	CallID string
	CSeq   uint32
	// Contacts to add, refresh or (TTL 0) remove, at most 16. Times and AOR of the
	// bindings are set by the store.
	Contacts []Contact
	// RemoveAll is "Contact: *": remove every binding, or with Device set those
	// of that device only.
	RemoveAll bool
	Device    string
	// MaxContacts bounds the bindings of the AOR afterwards; 0 is no bound. A new
	// binding over the bound evicts the oldest other binding of the same Device
	// first; if there is none the update fails with ErrTooMany.
	MaxContacts int

	lost *FlowEnd // not nil: nothing of the above but AOR counts; see Drop
}

// Contact is one contact of an Update.
type Contact struct {
	Binding
	TTL time.Duration // granted Expires; 0 removes the binding
}

// Result is the state of the AOR after an Update.
type Result struct {
	Bindings []Binding // all live bindings, highest Q first, then newest
	Now      time.Time // the store's clock, to compute what remains
}

// Errors of Apply and Lookup.
var (
	// ErrStale: a binding has the same Call-ID and a CSeq that is not lower
	// (RFC 3261 section 10.3 step 7). Nothing was changed. An exact repetition
	// of what is stored is not stale: Apply answers it as before.
	ErrStale = errors.New("cseq is not higher than the stored one")
	// ErrTooMany: MaxContacts would be exceeded. Nothing was changed.
	ErrTooMany = errors.New("too many contacts")
	// ErrUnavailable: the store cannot be reached, nothing is known to be changed.
	ErrUnavailable = errors.New("location store unavailable")
)

// ChangeKind says what happened to a binding.
type ChangeKind string

// The kinds of changes. A plain refresh of an unchanged binding is Refreshed and
// is sent by Memory only on the node itself; Redis does not stream it.
const (
	Added     ChangeKind = "added"
	Changed   ChangeKind = "changed"   // address, flow, contact or User-Agent differ from before
	Refreshed ChangeKind = "refreshed" // only the expiry moved
	Removed   ChangeKind = "removed"   // by the phone
	Expired   ChangeKind = "expired"
	FlowLost  ChangeKind = "flow-lost" // the connection it was registered over has ended
	Evicted   ChangeKind = "evicted"   // to make room for a new binding of the same device
)

// Change is one change of one binding, in the order the store made them per AOR.
type Change struct {
	Kind    ChangeKind
	Binding Binding
}

// Store keeps bindings. Both implementations pass locationtest.Run.
type Store interface {
	// Apply makes u durable and then returns the AOR's live bindings; after an
	// error nothing has changed. It is idempotent for an exact repetition.
	Apply(ctx context.Context, u Update) (Result, error)
	// Drop removes the bindings of f.AOR that were last registered over f. One that
	// has been registered over another flow since then stays; none is not an error.
	Drop(ctx context.Context, f FlowEnd) error
	// Lookup returns the live bindings of aor, highest Q first, then newest,
	// never an expired one; none is not an error.
	Lookup(ctx context.Context, aor AOR) ([]Binding, error)
	// List returns up to limit live bindings after cursor ("" is the start), in
	// a stable order; next is "" at the end.
	List(ctx context.Context, cursor string, limit int) (page []Binding, next string, err error)
	// Watch calls fn for each change, from one goroutine, until ctx ends. What
	// was there before is not reported. A change may be reported twice, never
	// lost without fn(Change{}) (Kind "") saying so: the caller then reads
	// everything again. The first call is always fn(Change{}), when the watch
	// stands: what the caller lists from then on, Watch brings up to date. An
	// Expired change may carry AOR, ID and ExpiresAt only.
	Watch(ctx context.Context, fn func(Change)) error
	// Ping reports whether the store can be written right now.
	Ping(ctx context.Context) error
	// Close stops the store; what was acknowledged is durable.
	Close() error
}

// Submitter is a Store that takes the updates of many phones without a goroutine
// that waits for each of them.
type Submitter interface {
	// Submit makes the updates, in order and each as Apply does, and calls done once
	// with their outcomes in the same order: later, from a goroutine of the store that
	// done must not hold up, or before it returns. It does not wait. What it was given
	// must not be changed before done is called; what done is given must not be
	// changed at all.
	Submit(updates []Update, done func([]Outcome))
}

// Outcome is what became of an Update that was submitted.
type Outcome struct {
	Result
	Err error // as of Apply
}
