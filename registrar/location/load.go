package location

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// load reads the newest snapshot and the journals after it. What a crash left
// half written at the end of a journal was never acknowledged.
func (m *Memory) load() error {
	dir := m.opts.Dir
	snapshots, err := generations(dir, snapshotPrefix)
	if err != nil {
		return err
	}
	journals, err := generations(dir, journalPrefix)
	if err != nil {
		return err
	}
	from := uint64(0)
	if n := len(snapshots); n > 0 {
		from = snapshots[n-1]
		if err := m.loadFile(snapshotPath(dir, from)); err != nil {
			return err
		}
	}
	last := from
	for _, gen := range journals {
		last = max(last, gen)
		if gen < from {
			continue
		}
		if err := m.loadFile(journalPath(dir, gen)); err != nil {
			return err
		}
	}
	m.committer.journal.gen = last
	m.loaded()
	removeHalves(dir)
	// Every start leaves one snapshot and one journal behind.
	if err := m.committer.journal.rotate(); err != nil {
		return err
	}
	m.compact()
	return nil
}

// removeHalves removes the snapshots that a crash left half written.
func removeHalves(dir string) {
	left, err := filepath.Glob(filepath.Join(dir, snapshotPrefix+"*.tmp"))
	if err != nil {
		return // the pattern is good
	}
	for _, path := range left {
		_ = os.Remove(path) // a file too many does no harm; it is tried again at the next start
	}
}

func (m *Memory) loadFile(path string) error {
	sound, err := readRecords(path, func(payload string) error { return replay(payload, m.restore) })
	if errors.Is(err, errRecord) {
		dropped := int64(0)
		if info, err := os.Stat(path); err == nil {
			dropped = info.Size() - sound
		}
		m.log.Warn("the end of a file of registrations is damaged, as a crash leaves it",
			slog.String("file", path), slog.Int64("bytes", dropped))
		return nil
	}
	return err
}

// restore puts one change of a file back. A snapshot is taken while updates go
// on, so that a journal may repeat what it holds already or refresh what has
// gone since: the last record of a binding decides.
func (m *Memory) restore(kind ChangeKind, b Binding) {
	e := m.find(b.AOR)
	if e == nil {
		if kind != Added {
			return
		}
		e = m.insert(AOR(strings.Clone(string(b.AOR))))
	}
	at := -1
	for i := range e.bindings {
		if e.bindings[i].ID == b.ID {
			at = i
		}
	}
	switch {
	case kind == Added && at < 0:
		e.bindings = append(e.bindings, b)
	case kind == Added:
		e.bindings[at] = b
	case kind == Refreshed && at >= 0:
		old := &e.bindings[at]
		if old.CallID != b.CallID {
			old.CallID = strings.Clone(b.CallID)
		}
		old.CSeq, old.RefreshedAt, old.ExpiresAt = b.CSeq, b.RefreshedAt, b.ExpiresAt
	case kind == Removed && at >= 0:
		e.bindings = append(e.bindings[:at:at], e.bindings[at+1:]...)
	}
}

// loaded drops what has run out and makes the rest ready for readers.
func (m *Memory) loaded() {
	now := toMillis(m.now())
	for i := range m.shards {
		for _, e := range m.shards[i].m {
			kept := liveOf(e.bindings, now)
			sortBindings(kept)
			e.bindings = nil
			m.publish(e, kept)
		}
	}
}
