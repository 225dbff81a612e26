package api

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
)

// Auditor keeps what administrators did.
type Auditor interface {
	RecordAudit(ctx context.Context, a phone.Audit) error
	// AuditTrail returns up to limit entries of the filter before an id, newest first;
	// 0 is from the newest.
	AuditTrail(ctx context.Context, f phone.AuditFilter, before int64, limit int) ([]phone.Audit, error)
}

// auditRoutes is the call that shows what was done.
func (s *server) auditRoutes() []route {
	if s.Auditor == nil {
		return nil
	}
	return []route{{"GET", base + "/audit", keysWrite, s.listAudit}}
}

type auditAnswer struct {
	At        time.Time       `json:"at"`
	KeyID     string          `json:"keyId,omitempty"`
	KeyName   string          `json:"keyName,omitempty"`
	Source    string          `json:"source,omitempty"`
	RequestID string          `json:"requestId,omitempty"`
	Action    string          `json:"action"`
	Subject   string          `json:"subject,omitempty"`
	Status    int             `json:"status"`
	Detail    json.RawMessage `json:"detail,omitempty"`
}

// listAudit answers GET /v1/pbx/audit.
func (s *server) listAudit(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	limit, cursor := q.limit(), q.cursor()
	f := phone.AuditFilter{Subject: q.text("subject"), KeyID: q.text("keyId"), Action: q.text("action"), From: q.time("from"), To: q.time("to")}
	before, err := strconv.ParseInt("0"+cursor, 10, 64)
	if err != nil {
		q.fail("cursor", "is not a cursor of this list")
	}
	if err := q.err(); err != nil {
		return err
	}
	list, err := s.Auditor.AuditTrail(r.Context(), f, before, limit+1)
	if err != nil {
		return err
	}
	page, next := cut(list, limit, func(a phone.Audit) string { return strconv.FormatInt(a.ID, 10) })
	answer := struct {
		Audit []auditAnswer `json:"audit"`
		Next  string        `json:"next,omitempty"`
	}{make([]auditAnswer, 0, len(page)), next}
	for _, a := range page {
		one := auditAnswer{
			At: stamp(a.At), KeyID: a.KeyID, KeyName: a.KeyName, Source: a.Source, RequestID: a.RequestID,
			Action: a.Action, Subject: a.Subject, Status: a.Status,
		}
		if json.Valid([]byte(a.Detail)) {
			one.Detail = json.RawMessage(a.Detail)
		}
		answer.Audit = append(answer.Audit, one)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// audited stores what a call did before its answer goes out: a call that changes
// something, and one that shows a secret.
type audited struct {
	http.ResponseWriter
	s      *server
	r      *http.Request
	writes bool // the call may change something
	done   bool
}

// WriteHeader implements http.ResponseWriter.
func (a *audited) WriteHeader(status int) {
	i := infoOf(a.r)
	if !a.done && status/100 == 2 && (a.writes || i.noted != nil) {
		a.done = true
		a.s.record(a.r, status)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *audited) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// record stores one entry. An answer is not held back because that fails: what was
// done is done, and the log has it.
func (s *server) record(r *http.Request, status int) {
	i := infoOf(r)
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	entry := phone.Audit{
		KeyID: i.key.ID, KeyName: i.key.Name, Source: clip(host), RequestID: i.id,
		Action: r.Method + " " + i.route, Subject: i.subject, Status: status,
	}
	for _, name := range []string{"id", "number", "name"} {
		if v := mux.Vars(r)[name]; v != "" && entry.Subject == "" {
			entry.Subject = v
		}
	}
	if len(i.noted) > 0 {
		if detail, err := json.Marshal(i.noted); err == nil {
			entry.Detail = string(detail)
		}
	}
	if err := s.Auditor.RecordAudit(context.WithoutCancel(r.Context()), entry); err != nil {
		s.Logger.ErrorContext(r.Context(), "not in the audit trail", "request_id", i.id, "action", entry.Action, "error", err)
	}
}

// note adds to what the audit trail says of a call. The value must hold no secret.
func note(r *http.Request, name string, value any) {
	i := infoOf(r)
	if i.noted == nil {
		i.noted = map[string]any{}
	}
	i.noted[name] = value
}

// noteSubject names the thing that a call made.
func noteSubject(r *http.Request, id string) { infoOf(r).subject = id }

// noteSecret says that the answer shows a secret.
func noteSecret(r *http.Request, what string) { note(r, "secretShown", what) }

// noteChange says what a call changed: of each field the value before and after.
// Settings may be passwords, so only their names are told.
func noteChange(r *http.Request, before, after any) {
	var was, is map[string]any
	if remarshal(before, &was) != nil || remarshal(after, &is) != nil {
		return // both are our own structs
	}
	changes := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		switch {
		case reflect.DeepEqual(was[name], is[name]):
		case name == "settings":
			changes[name] = changedKeys(was[name], is[name])
		case strings.Contains(strings.ToLower(name), "password"):
			changes[name] = "changed"
		default:
			changes[name] = []any{was[name], is[name]}
		}
	}
	note(r, "changed", changes)
}

// changedKeys are the names of the entries that differ.
func changedKeys(before, after any) []string {
	was, _ := before.(map[string]any)
	is, _ := after.(map[string]any)
	both := maps.Clone(is)
	if both == nil {
		both = map[string]any{}
	}
	maps.Copy(both, was)
	names := slices.Sorted(maps.Keys(both))
	return slices.DeleteFunc(names, func(name string) bool { return reflect.DeepEqual(was[name], is[name]) })
}
