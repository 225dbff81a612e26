package api

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// How many items a list has, unless asked, and at most.
const (
	defaultLimit = 50
	maxLimit     = 500
)

// query reads the parameters of a request and collects what is wrong. A
// parameter that is not known is wrong too: a misspelt filter must not answer
// with everything.
type query struct {
	values url.Values
	prefix string // of the names in what is wrong
	known  []string
	errs   []error
}

// newQuery fails on a query string that cannot be parsed at all.
func newQuery(r *http.Request) (*query, error) { return parseQuery(r.URL.RawQuery) }

func parseQuery(raw string) (*query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "The query string is not well-formed.")
	}
	return &query{values: values}, nil
}

// noQuery refuses every parameter.
func noQuery(r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	return q.err()
}

// text returns the value of name; empty is the same as absent.
func (q *query) text(name string) string {
	q.known = append(q.known, name)
	if len(q.values[name]) > 1 {
		q.fail(name, "is given more than once")
	}
	return q.values.Get(name)
}

// choice is text that must be one of those allowed.
func (q *query) choice(name string, allowed ...string) string {
	v := q.text(name)
	if v != "" && !slices.Contains(allowed, v) {
		q.fail(name, "must be one of "+strings.Join(allowed, ", "))
		return ""
	}
	return v
}

// drift is a filter by any drift ("true", "false") or by its kind.
func (q *query) drift(name string) (has *bool, kind string) {
	v := q.choice(name, append([]string{"true", "false"}, driftKinds()...)...)
	switch v {
	case "true", "false":
		yes := v == "true"
		return &yes, ""
	}
	return nil, v
}

// truth is a three-valued flag: nil when absent.
func (q *query) truth(name string) *bool {
	v := q.choice(name, "true", "false")
	if v == "" {
		return nil
	}
	yes := v == "true"
	return &yes
}

func (q *query) mac(name string) *phone.MAC {
	v := q.text(name)
	if v == "" {
		return nil
	}
	m, err := phone.ParseMAC(v)
	if err != nil {
		q.fail(name, "must be a MAC address, twelve hexadecimal digits")
	}
	return &m
}

// time reads a moment as RFC 3339 has it; absent is zero.
func (q *query) time(name string) time.Time {
	v := q.text(name)
	if v == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		q.fail(name, "must be a time such as 2026-09-01T12:00:00Z")
	}
	return t
}

func (q *query) limit() int {
	v := q.text("limit")
	if v == "" {
		return defaultLimit
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxLimit {
		q.fail("limit", "must be a whole number from 1 to "+strconv.Itoa(maxLimit))
	}
	return n
}

func (q *query) fail(name, reason string) {
	q.errs = append(q.errs, phone.Invalid(q.prefix+name, reason))
}

// err is what is wrong, after everything known has been read.
func (q *query) err() error {
	var names []string
	for name := range q.values {
		if !slices.Contains(q.known, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		q.fail(clip(name), "is not a parameter of this call")
	}
	return errors.Join(bounded(q.errs)...)
}

// cursor reads a cursor that seal made: the key of the last item of the page
// before, which clients must not build themselves.
func (q *query) cursor() string {
	text := q.text("cursor")
	v, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || seal(string(v)) != text { // the decoder skips line ends
		q.fail("cursor", "is not a cursor of this list")
	}
	return string(v)
}

// onlyPage reads the limit and the cursor of a list that has no other parameters.
func onlyPage(r *http.Request) (limit int, cursor string, err error) {
	q, err := newQuery(r)
	if err != nil {
		return 0, "", err
	}
	limit, cursor = q.limit(), q.cursor()
	return limit, cursor, q.err()
}

// cut returns the first limit items of list and the cursor of what is behind them,
// "" when nothing is; key is what the cursor holds.
func cut[T any](list []T, limit int, key func(T) string) (page []T, next string) {
	if len(list) <= limit {
		return list, ""
	}
	return list[:limit], seal(key(list[limit-1]))
}

func seal(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }
