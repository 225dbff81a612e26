package inventory

import (
	"context"
	"errors"
	"fmt"

	"pbx.dev/dialtone/internal/phone"
)

// CreateExtensions is CreateExtension for many, all or nothing: with any bad row
// nothing is stored and all bad rows are returned. dryRun stores nothing either
// way. What is returned is in the order of rows.
func (s *Store) CreateExtensions(ctx context.Context, rows []phone.Extension, dryRun bool) ([]phone.Extension, []phone.RowError, error) {
	return importer[phone.Extension]{s, (*unit).createExtension}.run(ctx, rows, dryRun)
}

// CreateDevices is CreateDevice for many; see CreateExtensions.
func (s *Store) CreateDevices(ctx context.Context, rows []phone.Device, dryRun bool) ([]phone.Device, []phone.RowError, error) {
	return importer[phone.Device]{s, (*unit).createDevice}.run(ctx, rows, dryRun)
}

// errUndo makes a transaction undo what was tried.
var errUndo = errors.New("undone")

type importer[T any] struct {
	s      *Store
	create func(*unit, T) (T, error)
}

func (im importer[T]) run(ctx context.Context, rows []T, dryRun bool) ([]T, []phone.RowError, error) {
	var (
		made []T
		bad  []phone.RowError
	)
	err := im.s.write(ctx, func(u *unit) error {
		made, bad = make([]T, 0, len(rows)), nil // the transaction may be run again
		for i, row := range rows {
			out, err := im.create(u, row)
			switch {
			case err == nil:
				made = append(made, out)
			case errors.Is(err, phone.ErrInvalid) || errors.Is(err, phone.ErrConflict):
				bad = append(bad, phone.RowError{Row: i, Err: err})
			default:
				return fmt.Errorf("import row %d: %w", i+1, err)
			}
		}
		if dryRun || len(bad) > 0 {
			return errUndo
		}
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errUndo):
		return nil, nil, err
	case len(bad) > 0:
		return nil, bad, nil
	}
	return made, nil, nil
}
