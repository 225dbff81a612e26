package templates

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// Error says where a template is wrong. It is phone.ErrInvalid.
type Error struct {
	Name   string // of the template
	Line   int    // 1 is the first; 0 when not known
	Column int    // 1 is the first; 0 when not known
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

// newError reads the position out of err; name is used when err has none. The
// parser says the line only: the column is that of the last action that begins in
// the line of source, else where its text begins.
func newError(name, source string, err error) *Error {
	e := &Error{Name: name, Reason: clip(err.Error()), cause: err}
	if m := parserMessage.FindStringSubmatch(err.Error()); m != nil {
		e.Name, e.Reason = m[1], clip(m[4])
		e.Line, _ = strconv.Atoi(m[2])
		e.Column, _ = strconv.Atoi(m[3])
	}
	if e.Line > 0 && e.Column == 0 {
		e.Column = columnIn(source, e.Line)
	}
	return e
}

// clip shortens a reason: it may quote a name of any length.
func clip(reason string) string {
	const most = 300
	if len(reason) <= most {
		return reason
	}
	return strings.ToValidUTF8(reason[:most], "") + "..."
}

// columnIn guesses where in a line (1 is the first) the mistake is.
func columnIn(source string, line int) int {
	lines := strings.SplitN(source, "\n", line+1)
	if line > len(lines) {
		return 1
	}
	text := lines[line-1]
	if i := strings.LastIndex(text, "{{"); i >= 0 {
		return i + 1
	}
	return len(text) - len(strings.TrimLeft(text, " \t")) + 1
}
