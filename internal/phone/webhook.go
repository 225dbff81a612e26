package phone

import "time"

// DriftEvent says how a phone differs from what is provisioned, as the webhook tells it.
// It holds no secrets.
type DriftEvent struct {
	ID      string    `json:"id"` // of the event, the same however often it is sent
	Type    string    `json:"type"`
	At      time.Time `json:"at"`
	Node    string    `json:"node"` // which saw it first
	PhoneID string    `json:"phoneId"`
	MAC     MAC       `json:"macAddress,omitzero"`
	Drift   []string  `json:"drift"` // empty: it does not differ any more
	Was     []string  `json:"was"`   // what was told before
}

// Outgoing is an event that waits for the webhook to take it.
type Outgoing struct {
	ID        int64
	Body      []byte // JSON
	Tries     int    // in vain
	CreatedAt time.Time
}
