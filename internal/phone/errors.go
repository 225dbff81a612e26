package phone

import "errors"

// The outcomes that every edge maps to an answer of its own protocol.
var (
	ErrNotFound = errors.New("not found") // no such device, extension, file, key
	ErrInvalid  = errors.New("invalid")   // the input is wrong; see FieldError
	ErrConflict = errors.New("conflict")  // the thing exists already
	ErrTooLarge = errors.New("too large") // what a phone sends is longer than it may be
	ErrFull     = errors.New("full")      // there is no room left for what is to be stored
	ErrBusy     = errors.New("busy")      // too much is under way; the same may do later

	// ErrUnavailable is that what stores things cannot be reached; the same may do later.
	ErrUnavailable = errors.New("unavailable")
)

// FieldError says which field of the input is wrong and why. It is ErrInvalid.
type FieldError struct {
	Field  string // as the caller spelled it, e.g. "lines[0].extensionNumber"
	Reason string // a plain sentence without a final period

	// Line and Column are a place in a field that holds a text; 1 is the first, 0
	// says that it is not about a place.
	Line, Column int
	File         string // the file that the field belongs to, of a pack; empty: it is not about one
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// Unwrap makes errors.Is(err, ErrInvalid) hold.
func (e *FieldError) Unwrap() error { return ErrInvalid }

// Invalid returns a FieldError.
func Invalid(field, reason string) error { return &FieldError{Field: field, Reason: reason} }

// ConflictError says which field of the input is what another thing has already. It
// is ErrConflict.
type ConflictError struct {
	Field  string // as in FieldError
	Reason string // a plain sentence without a final period
}

// Error implements error.
func (e *ConflictError) Error() string { return e.Reason + ": " + ErrConflict.Error() }

// Unwrap makes errors.Is(err, ErrConflict) hold.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// RowError says what is wrong with one row of an import.
type RowError struct {
	Row int // from 0
	Err error
}
