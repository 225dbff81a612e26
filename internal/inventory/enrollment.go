package inventory

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// OpenEnrollment opens a window with the Auto, Phones, Subnet and ClosesAt of e and
// forgets the one before; phone.ErrConflict while that is open and has room.
func (s *Store) OpenEnrollment(ctx context.Context, e phone.Enrollment) (phone.Enrollment, error) {
	return writing(ctx, s, func(u *unit) (phone.Enrollment, error) {
		if err := u.Lock(windowLock); err != nil {
			return e, err
		}
		old, err := readEnrollment(u)
		switch {
		case err == nil && old.Open(u.Now) && old.Taken < old.Phones:
			return e, fmt.Errorf("an enrollment window is open until %s: %w", old.ClosesAt.Format("15:04:05 MST"), phone.ErrConflict)
		case err != nil && !errors.Is(err, phone.ErrNotFound):
			return e, err
		}
		if err := u.closeEnrollment(); err != nil {
			return e, err
		}
		e.ID, e.Taken, e.OpenedAt, e.ClosesAt = newID("enroll_"), 0, u.Now, fromMillis(toMillis(e.ClosesAt))
		mode, subnet := modePending, ""
		if e.Auto {
			mode = modeAuto
		}
		if e.Subnet.IsValid() {
			subnet = e.Subnet.String()
		}
		return e, u.exec(`INSERT INTO enrollment (id, mode, phones, subnet, opened_at, closes_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			e.ID, mode, e.Phones, subnet, toMillis(e.OpenedAt), toMillis(e.ClosesAt))
	})
}

const (
	modePending = "pending"
	modeAuto    = "auto"

	windowLock = 0x6469616c03 // any fixed number of our own
)

// Enrollment returns the window that was opened last, from memory when it can;
// phone.ErrNotFound when there was none or it was closed.
func (s *Store) Enrollment(ctx context.Context) (phone.Enrollment, error) {
	e, err := s.windows.get("", func(string) (phone.Enrollment, error) { return readEnrollment(s.db.Reader(ctx)) })
	if err != nil && !errors.Is(err, phone.ErrNotFound) {
		err = fmt.Errorf("read the enrollment window: %w", err)
	}
	return e, err
}

// CloseEnrollment closes the window; phone.ErrNotFound when there is none.
func (s *Store) CloseEnrollment(ctx context.Context) error {
	return s.write(ctx, func(u *unit) error {
		if _, err := readEnrollment(u); err != nil {
			return err
		}
		return u.closeEnrollment()
	})
}

// AdmitPhone takes a phone into the window with this id, once, and reports whether
// it is in it: a phone for which there was no room is not.
func (s *Store) AdmitPhone(ctx context.Context, id string, mac phone.MAC) (bool, error) {
	return writing(ctx, s, func(u *unit) (bool, error) {
		if err := u.Lock(windowLock); err != nil {
			return false, err
		}
		n, err := engine.One(u, engine.Scalar[int], `SELECT count(*) FROM enrollment_phones WHERE mac = $1`, mac.Hex())
		if err != nil || n > 0 {
			return n > 0, err
		}
		e, err := readEnrollment(u)
		if errors.Is(err, phone.ErrNotFound) || err == nil && (e.ID != id || !e.Open(u.Now) || e.Taken >= e.Phones) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		u.changed(effect{Change: Change{Kind: ChangeEnrollment, ID: id}})
		return true, u.exec(`INSERT INTO enrollment_phones (mac) VALUES ($1)`, mac.Hex())
	})
}

func (u *unit) closeEnrollment() error {
	u.changed(effect{Change: Change{Kind: ChangeEnrollment}})
	if err := u.exec(`DELETE FROM enrollment`); err != nil {
		return fmt.Errorf("close the enrollment window: %w", err)
	}
	if err := u.exec(`DELETE FROM enrollment_phones`); err != nil {
		return fmt.Errorf("close the enrollment window: %w", err)
	}
	return nil
}

func readEnrollment(q engine.Querier) (phone.Enrollment, error) {
	return engine.One(q, func(row engine.Row) (phone.Enrollment, error) {
		var (
			e              phone.Enrollment
			mode, subnet   string
			opened, closes int64
		)
		if err := row.Scan(&e.ID, &mode, &e.Phones, &subnet, &opened, &closes, &e.Taken); err != nil {
			return e, err
		}
		e.Auto, e.OpenedAt, e.ClosesAt = mode == modeAuto, fromMillis(opened), fromMillis(closes)
		if subnet == "" {
			return e, nil
		}
		var err error
		e.Subnet, err = netip.ParsePrefix(subnet)
		return e, err
	}, `SELECT id, mode, phones, subnet, opened_at, closes_at, (SELECT count(*) FROM enrollment_phones) FROM enrollment`)
}
