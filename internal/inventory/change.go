package inventory

import (
	"encoding/json"
	"runtime/debug"
	"sync"

	"pbx.dev/dialtone/internal/phone"
)

// ChangeKind says what kind of thing changed.
type ChangeKind string

// The kinds of changes. ChangeUnknown says that much, or nobody knows what,
// changed: read everything again.
const (
	ChangeUnknown    ChangeKind = ""
	ChangeDevice     ChangeKind = "device"
	ChangeExtension  ChangeKind = "extension"
	ChangeKey        ChangeKind = "key"
	ChangeEnrollment ChangeKind = "enrollment"
	ChangeFirmware   ChangeKind = "firmware" // an image or a target; with a MAC the state of one phone
	ChangeTemplate   ChangeKind = "template"
	ChangeSettings   ChangeKind = "settings" // a layer of settings; ID is scope/name
	ChangeWebhook    ChangeKind = "webhook"  // an event waits for the webhook
)

// Change is one committed change of the inventory.
type Change struct {
	Kind    ChangeKind
	ID      string    // id of the device, key or image, number of the extension, name of the template
	MAC     phone.MAC `json:",omitzero"` // of a device
	Deleted bool
	// Freed are the extensions of a device's lines whose digest users are no more:
	// what they registered has to go.
	Freed []string `json:",omitempty"`
}

// OnChange makes fn be called for every change, in the order of the commits,
// after the commit and before the write returns, never from two goroutines at
// once. Writes of other nodes (PostgreSQL) are reported too; another process on
// the same SQLite file shows as ChangeUnknown within a second. fn must be quick;
// it may read from the store but must neither write to it nor close it.
func (s *Store) OnChange(fn func(Change)) {
	s.hearers.mu.Lock()
	defer s.hearers.mu.Unlock()
	s.hearers.fns = append(s.hearers.fns, fn)
}

type hearers struct {
	mu  sync.RWMutex
	fns []func(Change)
	one sync.Mutex // held while they are called
}

// effect is a change with what the caches must forget because of it. It travels
// between nodes as JSON.
type effect struct {
	Change
	Users []string  `json:",omitempty"` // digest users
	Was   phone.MAC `json:",omitzero"`  // the device's MAC before, if another
}

// maxEffects is how many changes of one transaction are told one by one.
const maxEffects = 256

func (u *unit) changed(e effect) { u.effects = append(u.effects, e) }

// publish arranges that the effects are known here and on other nodes as soon as
// the transaction is committed.
func (u *unit) publish() error {
	effects := u.effects
	if len(effects) == 0 {
		return nil
	}
	if len(effects) > maxEffects {
		effects = []effect{{}}
	}
	for _, e := range effects {
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if err := u.Notify(string(text)); err != nil {
			return err
		}
	}
	u.OnCommit(func() {
		for _, e := range effects {
			u.s.apply(e)
		}
	})
	return nil
}

// apply forgets what e made stale, then tells the hearers.
func (s *Store) apply(e effect) {
	switch e.Kind {
	case ChangeDevice:
		s.devices.drop(e.MAC)
		s.devices.drop(e.Was)
	case ChangeExtension:
		s.extensions.drop(e.ID)
	case ChangeKey:
		s.keys.clear()
	case ChangeFirmware: // nothing of it is in the caches
	case ChangeEnrollment:
		s.windows.clear()
	case ChangeTemplate, ChangeSettings, ChangeWebhook: // nothing of it is kept here
	default:
		s.credentials.clear()
		s.extensions.clear()
		s.devices.clear()
		s.keys.clear()
		s.tokens.clear()
		s.windows.clear()
	}
	for _, user := range e.Users {
		s.credentials.drop(user)
	}
	s.tell(e.Change)
}

// remoteChange is apply for what another node committed.
func (s *Store) remoteChange(payload string) {
	var e effect
	if err := json.Unmarshal([]byte(payload), &e); err != nil {
		s.log.Warn("another node sent a change that cannot be read", "error", err)
		e = effect{}
	}
	s.apply(e)
}

// gap forgets everything; with live false nothing is remembered until it is
// called with live true.
func (s *Store) gap(live bool) {
	s.credentials.switchTo(live)
	s.extensions.switchTo(live)
	s.devices.switchTo(live)
	s.keys.switchTo(live)
	s.tokens.switchTo(live)
	s.windows.switchTo(live)
	s.tell(Change{})
}

func (s *Store) tell(c Change) {
	s.hearers.one.Lock()
	defer s.hearers.one.Unlock()
	s.hearers.mu.RLock()
	fns := s.hearers.fns
	s.hearers.mu.RUnlock()
	for _, fn := range fns {
		s.callHearer(fn, c)
	}
}

func (s *Store) callHearer(fn func(Change), c Change) {
	defer func() {
		if p := recover(); p != nil {
			s.metrics.panics.Inc()
			s.log.Error("panic in a hearer of changes", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn(c)
}
