// Package enroll decides about phones that nobody provisioned: which of them show a
// claim code, which take the next free extension, and which get nothing. What they
// are served and who may ask is the business of package provision; the list of those
// that wait is in package roster.
package enroll

import (
	"container/list"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// Store is what Desk needs of the inventory.
type Store interface {
	// Enrollment returns the window that was opened last, or phone.ErrNotFound.
	Enrollment(ctx context.Context) (phone.Enrollment, error)
	// AdmitPhone takes a phone into a window, once, and reports whether it is in it.
	AdmitPhone(ctx context.Context, id string, mac phone.MAC) (bool, error)
	// EnrollDevice puts a phone into the inventory on the lowest extension that has
	// no phone; phone.ErrNotFound when each has one.
	EnrollDevice(ctx context.Context, d phone.Device) (phone.Device, error)
}

// Options of New. Store and Key are required.
type Options struct {
	Store Store
	// Key makes the claim codes: nodes with the same key make the same codes.
	Key []byte
	// Auto lets every phone take an extension, not only while a window says so.
	Auto bool
	// Codes lets every phone show a claim code, not only while a window is open.
	Codes bool
	// Recorder takes the event of each phone that took an extension; it must not block.
	Recorder func(phone.Event)

	Now    func() time.Time
	Logger *slog.Logger
}

// Desk is where phones nobody knows come to. It is safe for concurrent use.
type Desk struct {
	opts Options
	log  *slog.Logger
	now  func() time.Time

	mu     sync.Mutex
	order  *list.List // of claim, the one heard last in front
	byMAC  map[phone.MAC]*list.Element
	byCode map[string]*list.Element
}

// claim is a phone that shows a code.
type claim struct {
	mac   phone.MAC
	code  string
	heard time.Time
}

const (
	// maxClaims bounds the phones that show a code at a time.
	maxClaims = 1000
	// claimLife is how long a code is good after the phone was last heard.
	claimLife = 24 * time.Hour
	codes     = 1_000_000
)

// New returns a desk.
func New(o Options) (*Desk, error) {
	if o.Store == nil || len(o.Key) == 0 {
		return nil, errors.New("enroll: Store and Key are required")
	}
	d := &Desk{opts: o, log: o.Logger, now: o.Now, order: list.New(), byMAC: map[phone.MAC]*list.Element{}, byCode: map[string]*list.Element{}}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.now == nil {
		d.now = time.Now
	}
	return d, nil
}

// Admit decides about the phone d, of which MAC, Vendor and perhaps Model are known,
// that asks from an address. It returns the device that it became, or the code that
// it is to show, or neither.
func (k *Desk) Admit(ctx context.Context, d phone.Device, from netip.Addr) (phone.Device, string, error) {
	let, auto, err := k.let(ctx, d.MAC, from)
	if err != nil || !let {
		return phone.Device{}, "", err
	}
	if !auto {
		return phone.Device{}, k.code(d.MAC), nil
	}
	enrolled, err := k.opts.Store.EnrollDevice(ctx, d)
	switch {
	case errors.Is(err, phone.ErrNotFound):
		k.log.WarnContext(ctx, "enroll: no extension is free", "phone", d.MAC)
		return phone.Device{}, k.code(d.MAC), nil
	case errors.Is(err, phone.ErrConflict):
		return phone.Device{}, "", nil // somebody else was faster: it is known when it asks next
	case err != nil:
		return phone.Device{}, "", fmt.Errorf("enroll %s: %w", d.MAC, err)
	}
	k.log.InfoContext(ctx, "enroll: a phone took the next free extension", "phone", d.MAC, "extension", enrolled.Lines[0].Extension, "client", from)
	if k.opts.Recorder != nil {
		k.opts.Recorder(phone.Event{
			At: k.now(), Kind: phone.EventAdmin, MAC: d.MAC, DeviceID: enrolled.ID, Outcome: "enrolled", Source: from.String(),
			Detail: "it took the next free extension, " + enrolled.Lines[0].Extension,
		})
	}
	return enrolled, "", nil
}

// let reports whether a phone is let in now, and how.
func (k *Desk) let(ctx context.Context, mac phone.MAC, from netip.Addr) (let, auto bool, err error) {
	w, err := k.opts.Store.Enrollment(ctx)
	if err != nil && !errors.Is(err, phone.ErrNotFound) {
		return false, false, fmt.Errorf("find the enrollment window: %w", err)
	}
	from = from.Unmap().WithZone("")
	if err == nil && w.Open(k.now()) && (!w.Subnet.IsValid() || w.Subnet.Contains(from)) {
		in, err := k.opts.Store.AdmitPhone(ctx, w.ID, mac)
		if err != nil {
			return false, false, fmt.Errorf("admit %s: %w", mac, err)
		}
		if in {
			return true, w.Auto || k.opts.Auto, nil
		}
	}
	return k.opts.Auto || k.opts.Codes, k.opts.Auto, nil
}

// code returns the text with the claim code of a phone, the same each time while
// the phone is heard of.
func (k *Desk) code(mac phone.MAC) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.expireLocked()
	if el, ok := k.byMAC[mac]; ok {
		c := el.Value.(*claim)
		c.heard = k.now()
		k.order.MoveToFront(el)
		return "Code " + c.code
	}
	if k.order.Len() >= maxClaims {
		k.forgetLocked(k.order.Back())
	}
	c := &claim{mac: mac, heard: k.now()}
	for n := 0; c.code == "" || k.byCode[c.code] != nil; n++ {
		c.code = k.make(mac, n)
	}
	el := k.order.PushFront(c)
	k.byMAC[mac], k.byCode[c.code] = el, el
	return "Code " + c.code
}

// Shown notes that a phone shows its code, which another node gave it: codes come from the
// key that nodes share, and are good at any of them.
func (k *Desk) Shown(mac phone.MAC) { k.code(mac) }

// make derives the nth code of a phone, so that it is the same after a restart.
func (k *Desk) make(mac phone.MAC, n int) string {
	h := hmac.New(sha256.New, k.opts.Key)
	fmt.Fprintf(h, "claim %s %d", mac, n)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(h.Sum(nil))%codes)
}

// Claimed returns the phone that shows a code, blanks and dashes aside;
// phone.ErrNotFound when none does.
func (k *Desk) Claimed(code string) (phone.MAC, error) {
	code = strings.NewReplacer(" ", "", "-", "").Replace(code)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.expireLocked()
	el, ok := k.byCode[code]
	if !ok {
		return phone.MAC{}, phone.ErrNotFound
	}
	return el.Value.(*claim).mac, nil
}

// Forget drops the code of a phone that was claimed.
func (k *Desk) Forget(mac phone.MAC) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if el, ok := k.byMAC[mac]; ok {
		k.forgetLocked(el)
	}
}

func (k *Desk) expireLocked() {
	limit := k.now().Add(-claimLife)
	for el := k.order.Back(); el != nil && el.Value.(*claim).heard.Before(limit); el = k.order.Back() {
		k.forgetLocked(el)
	}
}

func (k *Desk) forgetLocked(el *list.Element) {
	c := k.order.Remove(el).(*claim)
	delete(k.byMAC, c.mac)
	delete(k.byCode, c.code)
}
