package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"pbx.dev/dialtone/internal/phone"
)

// Enroll says what becomes of a phone nobody knows.
type Enroll string

// The modes of enrollment.
const (
	EnrollPending Enroll = "pending" // it is listed, for an administrator to adopt
	EnrollAuto    Enroll = "auto"    // it takes the next free extension
	EnrollClosed  Enroll = "closed"  // nothing
)

// Standing is what a MAC address means to this server.
type Standing string

// The standings. Only known and enrollable phones are told where the files are.
const (
	Known      Standing = "known"      // it is in the inventory
	Enrollable Standing = "enrollable" // it is not, and could be adopted
	Stranger   Standing = "stranger"   // neither
)

// Standing says whether a MAC address is that of a phone which this server has
// files for, or may have some day. DHCP and SIP PnP ask it before they answer.
func (s *Service) Standing(ctx context.Context, mac phone.MAC) (Standing, error) {
	if mac.IsZero() {
		return Stranger, nil
	}
	_, err := s.opts.Inventory.DeviceByMAC(ctx, mac)
	switch {
	case err == nil:
		return Known, nil
	case !errors.Is(err, phone.ErrNotFound):
		return Stranger, fmt.Errorf("find the phone %s: %w", mac, err)
	case s.opts.Enroll != EnrollClosed && s.renders(mac):
		return Enrollable, nil
	}
	return Stranger, nil
}

// renders reports whether a MAC belongs to a vendor that there are files for.
func (s *Service) renders(mac phone.MAC) bool {
	if s.opts.VendorOf == nil {
		return false
	}
	v, ok := s.opts.VendorOf(mac)
	return ok && slices.Contains(phone.Vendors(), v)
}
