package inventory

import (
	"context"
	"fmt"
	"strconv"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

const eventQuery = `SELECT id, at, kind, COALESCE(mac, ''), COALESCE(device_id, ''),
	proto, path, outcome, status, bytes, millis, revision, user_agent, source, detail, count
	FROM events WHERE mac = $1 OR device_id = $2 ORDER BY at DESC, id DESC LIMIT $3`

// Events returns up to limit events of a device, newest first:
// those recorded under its id and those recorded under its MAC. Either may be
// zero. What is queued is written first, so that a timeline shows what has just
// happened.
func (s *Store) Events(ctx context.Context, deviceID string, mac phone.MAC, limit int) ([]phone.Event, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	list, err := engine.All(s.db.Reader(ctx), scanEvent, eventQuery,
		macOrNull(mac), textOrNull(clip(deviceID, maxText)), within(limit))
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return list, nil
}

func scanEvent(row engine.Row) (phone.Event, error) {
	var (
		e   phone.Event
		at  int64
		mac string
	)
	err := row.Scan(&e.ID, &at, (*string)(&e.Kind), &mac, &e.DeviceID, &e.Proto, &e.Path, &e.Outcome, &e.Status,
		&e.Bytes, &e.Millis, &e.Revision, &e.UserAgent, &e.Source, &e.Detail, &e.Count)
	if err != nil {
		return e, err
	}
	e.At = fromMillis(at)
	if mac != "" {
		e.MAC, err = phone.ParseMAC(mac)
	}
	return e, err
}

// macOrNull: NULL equals nothing, so that "no MAC" finds no event.
func macOrNull(mac phone.MAC) any {
	if mac.IsZero() {
		return nil
	}
	return mac.Hex()
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

const (
	eventColumns = `at, kind, mac, device_id, proto, path, outcome, status,
		bytes, millis, revision, user_agent, source, detail, count`
	eventWidth = 15 // columns
)

func eventValues(e phone.Event) []any {
	return []any{
		toMillis(e.At), clip(string(e.Kind), maxText), macOrNull(e.MAC), textOrNull(clip(e.DeviceID, maxText)),
		clip(e.Proto, maxText), clip(e.Path, maxWire), clip(e.Outcome, maxText), e.Status,
		e.Bytes, e.Millis, e.Revision, clip(e.UserAgent, maxWire), clip(e.Source, maxText), clip(e.Detail, maxWire),
		e.Count,
	}
}

// insertEvents is the statement that stores n events.
func insertEvents(n int) string {
	return "INSERT INTO events (" + eventColumns + ") VALUES " + values(n, eventWidth)
}

// values is the list of n rows of parameters for an INSERT: "($1, $2), ($3, $4)".
func values(n, width int) string {
	b := make([]byte, 0, 6*n*width)
	for i := range n * width {
		switch {
		case i == 0:
			b = append(b, '(')
		case i%width == 0:
			b = append(b, "), ("...)
		default:
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(append(b, '$'), int64(i+1), 10)
	}
	return string(append(b, ')'))
}

const (
	keepEvents  = 500       // newest events kept of a device
	pruneAfter  = 100       // events of a device between two looks at it
	keepAll     = 2_000_000 // newest events kept at all: MACs cost an attacker nothing
	pruneAllPer = 10_000    // events between two looks at all
	maxCounted  = 50_000    // devices counted at once
)

// subject is what an event is counted under: its MAC, else its device id.
type subject struct{ column, value string }

func subjectOf(e phone.Event) subject {
	if e.MAC.IsZero() {
		return subject{"device_id", clip(e.DeviceID, maxText)}
	}
	return subject{"mac", e.MAC.Hex()}
}

// pruner counts how timelines grow, so that only those that have grown are looked
// at. It belongs to the event log's goroutine.
type pruner struct {
	grown map[subject]int
	all   int
}

func newPruner() *pruner { return &pruner{grown: map[subject]int{}, all: pruneAllPer} }

// due counts events and returns the timelines to prune. One that is new to the
// pruner, as all are after a start, is due at once. The zero subject stands for
// all timelines together.
func (p *pruner) due(events []phone.Event) []subject {
	var due []subject
	for _, e := range events {
		sub := subjectOf(e)
		if sub.value == "" {
			continue // of no device: bounded with all others
		}
		n, known := p.grown[sub]
		if n++; n >= pruneAfter || !known {
			due = append(due, sub)
			n = 0
		}
		p.grown[sub] = n
	}
	if len(p.grown) > maxCounted {
		clear(p.grown)
	}
	if p.all += len(events); p.all >= pruneAllPer {
		p.all = 0
		due = append(due, subject{})
	}
	return due
}

// prune deletes what is too old of each timeline.
func (u *unit) prune(due []subject, keep int) error {
	for _, sub := range due {
		var err error
		switch sub.column {
		case "mac":
			err = u.exec(pruneOne("mac"), sub.value, keepEvents)
		case "device_id":
			err = u.exec(pruneOne("device_id"), sub.value, keepEvents)
		default:
			err = u.exec(`DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - $1`, keep)
		}
		if err != nil {
			return fmt.Errorf("prune events: %w", err)
		}
	}
	return nil
}

func pruneOne(column string) string {
	return `DELETE FROM events WHERE ` + column + ` = $1 AND id <=
		(SELECT id FROM events WHERE ` + column + ` = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)`
}
