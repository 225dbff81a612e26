package phone

import "time"

// Audit is one thing that an administrator did. It holds no secrets.
type Audit struct {
	ID        int64
	At        time.Time
	KeyID     string // of the API key
	KeyName   string
	Source    string // address of the client
	RequestID string
	Action    string // method and path template, e.g. "PATCH /v1/pbx/phones/{id}"
	Subject   string // id of the phone or key, number of the extension; may be empty
	Status    int    // of the answer
	Detail    string // a JSON object: what changed, what secret was read; may be empty
}

// AuditFilter selects entries of the audit trail; what is empty or zero selects all.
type AuditFilter struct {
	Subject string
	KeyID   string
	Action  string    // a part of it, in any case
	From    time.Time // inclusive
	To      time.Time // exclusive
}
