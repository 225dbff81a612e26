package templates

import (
	"fmt"
	"regexp"
	"strconv"

	"pbx.dev/dialtone/internal/phone"
)

// Error says where a template is wrong. It is phone.ErrInvalid.
type Error struct {
	Name   string // of the template
	Line   int    // 1 is the first; 0 when not known
	Column int    // as text/template counts; 0 when not known
	Reason string
	cause  error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("template %s:%d:%d: %s", e.Name, e.Line, e.Column, e.Reason)
}

// Unwrap gives the cause and makes errors.Is(err, phone.ErrInvalid) hold.
func (e *Error) Unwrap() []error { return []error{e.cause, phone.ErrInvalid} }

// parserMessage is how text/template starts its messages.
var parserMessage = regexp.MustCompile(`(?s)^template: ([^:\s]+):(\d+)(?::(\d+))?: (.*)$`)

// newError reads the position out of err; name is used when err has none.
func newError(name string, err error) *Error {
	e := &Error{Name: name, Reason: err.Error(), cause: err}
	if m := parserMessage.FindStringSubmatch(err.Error()); m != nil {
		e.Name, e.Reason = m[1], m[4]
		e.Line, _ = strconv.Atoi(m[2])
		e.Column, _ = strconv.Atoi(m[3])
	}
	return e
}
