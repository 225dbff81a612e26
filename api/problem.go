package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"pbx.dev/dialtone/internal/phone"
)

// problem is an error answer, RFC 9457 section 3.1. The type is always
// "about:blank": the status says what kind of problem it is.
type problem struct {
	Type     string         `json:"type"`
	Title    string         `json:"title"`
	Status   int            `json:"status"`
	Detail   string         `json:"detail,omitempty"`
	Instance string         `json:"instance,omitempty"`
	Errors   []fieldProblem `json:"errors,omitempty"`
}

// fieldProblem says what is wrong with one field of the request.
type fieldProblem struct {
	Row    int    `json:"row,omitempty"` // of an import; the header is row 1
	Field  string `json:"field"`
	Detail string `json:"detail"`
	Line   int    `json:"line,omitempty"`   // of a text; 1 is the first
	Column int    `json:"column,omitempty"` // 1 is the first
	File   string `json:"file,omitempty"`   // of a pack
}

// refusal is an outcome of the edge itself: authentication, method, body.
type refusal struct {
	status int
	detail string
}

func (e *refusal) Error() string { return fmt.Sprintf("%d: %s", e.status, e.detail) }

func refuse(status int, detail string) error { return &refusal{status, detail} }

// notFound is phone.ErrNotFound with the kind of thing that is not there.
type notFound struct{ what string }

func (e *notFound) Error() string { return "there is no such " + e.what }
func (*notFound) Unwrap() error   { return phone.ErrNotFound }

func missing(what string) error { return &notFound{what} }

// absent turns a store's phone.ErrNotFound into one that names the kind of
// thing; other errors pass. A FieldError keeps its field: it is about the input.
func absent(what string, err error) error {
	var field *phone.FieldError
	if errors.Is(err, phone.ErrNotFound) && !errors.As(err, &field) {
		return missing(what)
	}
	return err
}

// problemOf is the one mapping of errors to answers of the REST edge.
func problemOf(err error) problem {
	var (
		edge   *refusal
		tooBig *http.MaxBytesError
		gone   *notFound
	)
	fields := fieldProblems(err)
	var rows *importError
	switch {
	case errors.As(err, &rows):
		return rows.problem()
	case errors.As(err, &edge):
		return newProblem(edge.status, edge.detail, nil)
	case errors.As(err, &tooBig):
		return newProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes.", tooBig.Limit), nil)
	case errors.Is(err, phone.ErrUnavailable):
		return newProblem(http.StatusServiceUnavailable, "The database cannot be reached. Try again later.", nil)
	case errors.Is(err, phone.ErrFull), errors.Is(err, syscall.ENOSPC):
		return newProblem(http.StatusInsufficientStorage, "The disk is full.", nil)
	case errors.Is(err, phone.ErrConflict):
		return newProblem(http.StatusConflict, conflictDetail(err), fields)
	case len(fields) > 0:
		return newProblem(http.StatusUnprocessableEntity, "A field is wrong; see errors.", fields)
	case errors.Is(err, phone.ErrInvalid):
		return newProblem(http.StatusUnprocessableEntity, "The request is not valid.", nil)
	case errors.As(err, &gone):
		return newProblem(http.StatusNotFound, "There is no such "+gone.what+".", nil)
	case errors.Is(err, phone.ErrNotFound):
		return newProblem(http.StatusNotFound, "There is no such thing.", nil)
	}
	return newProblem(http.StatusInternalServerError, "", nil)
}

func newProblem(status int, detail string, fields []fieldProblem) problem {
	return problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Errors: fields}
}

// conflictDetail is the text of a conflict, which stores write for people: what
// exists already, what still uses the thing.
func conflictDetail(err error) string {
	text := strings.TrimSuffix(err.Error(), ": "+phone.ErrConflict.Error())
	if text == phone.ErrConflict.Error() {
		return "It exists already, or something still uses it."
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// fieldProblems collects every phone.FieldError and phone.ConflictError in the tree of
// err, in order.
func fieldProblems(err error) []fieldProblem {
	switch e := err.(type) { //nolint:errorlint // walks the tree itself
	case nil:
		return nil
	case *phone.FieldError:
		return []fieldProblem{{Field: e.Field, Detail: e.Reason, Line: e.Line, Column: e.Column, File: e.File}}
	case *phone.ConflictError:
		return []fieldProblem{{Field: e.Field, Detail: e.Reason}}
	case interface{ Unwrap() []error }:
		var all []fieldProblem
		for _, inner := range e.Unwrap() {
			all = append(all, fieldProblems(inner)...)
		}
		return all
	case interface{ Unwrap() error }:
		return fieldProblems(e.Unwrap())
	}
	return nil
}

// fail writes the answer to err; what the client is not told is logged here.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	p.Instance = clip(r.URL.Path)
	if p.Status >= http.StatusInternalServerError {
		s.Logger.ErrorContext(r.Context(), "request failed",
			"request_id", infoOf(r).id, "route", infoOf(r).route, "error", err)
	}
	if p.Status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "5")
	}
	body, _ := json.Marshal(p) // strings and numbers only: cannot fail
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
}
