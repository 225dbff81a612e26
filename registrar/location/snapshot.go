package location

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
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
	if left, err := filepath.Glob(filepath.Join(dir, snapshotPrefix+"*.tmp")); err == nil {
		for _, path := range left {
			_ = os.Remove(path) // a file too many does no harm; it is tried again at the next start
		}
	}
	// Every start leaves one snapshot and one journal behind.
	if err := m.committer.journal.rotate(); err != nil {
		return err
	}
	m.compact()
	return nil
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

// compactIfDue begins a snapshot when the journal has grown large, or when one
// that cannot be trusted any more was left behind.
func (m *Memory) compactIfDue(now int64) {
	c := &m.committer
	j := c.journal
	if j == nil || c.failed || m.compactOn.Load() || now < c.compactAfter {
		return
	}
	if j.size < max(m.opts.CompactBytes, m.snapshotSize.Load()) && !j.suspect {
		return
	}
	if err := j.rotate(); err != nil {
		m.log.Error("cannot begin a new journal", slog.String("dir", m.opts.Dir), slog.Any("error", err))
		c.compactAfter = now + compactRetry.Milliseconds()
		return
	}
	j.suspect = false
	m.compact()
}

// compact writes the snapshot that the present journal starts from, beside the
// updates, and removes the files it replaces.
func (m *Memory) compact() {
	gen := m.committer.journal.gen
	m.compactOn.Store(true)
	m.compacts.Go(func() {
		defer m.compactOn.Store(false)
		switch err := m.writeSnapshot(gen); {
		case errors.Is(err, errClosing):
		case err != nil:
			m.log.Error("cannot write snapshot of registrations", slog.String("dir", m.opts.Dir), slog.Any("error", err))
		default:
			m.removeBefore(gen)
		}
	})
}

var errClosing = errors.New("closing")

func (m *Memory) writeSnapshot(gen uint64) error {
	tmp := snapshotPath(m.opts.Dir, gen) + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = m.dump(f)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(tmp) // a file too many does no harm; it is tried again at the next start
		return err
	}
	if err := os.Rename(tmp, snapshotPath(m.opts.Dir, gen)); err != nil {
		return err
	}
	return syncDir(m.opts.Dir)
}

const compactRetry = 10 * time.Second

// dump writes all bindings, holding each shard only while it copies references.
func (m *Memory) dump(f *os.File) error {
	out := bufio.NewWriterSize(f, 1<<20)
	if _, err := out.WriteString(fileMagic); err != nil {
		return err
	}
	var record []byte
	var changes []Change
	var size int64
	for i := range m.shards {
		if m.closing.Load() {
			return errClosing
		}
		for _, bindings := range m.shards[i].after("") {
			changes = changes[:0]
			for _, b := range bindings {
				changes = append(changes, Change{Added, b})
			}
			record = appendChanges(record[:0], bindings[0].AOR, changes)
			if _, err := out.Write(record); err != nil {
				return fmt.Errorf("write snapshot: %w", err)
			}
			size += int64(len(record))
		}
	}
	m.snapshotSize.Store(size)
	return out.Flush()
}

func (m *Memory) removeBefore(gen uint64) {
	for _, prefix := range []string{snapshotPrefix, journalPrefix} {
		gens, err := generations(m.opts.Dir, prefix)
		if err != nil {
			m.log.Error("cannot remove old registrations", slog.String("dir", m.opts.Dir), slog.Any("error", err))
			return
		}
		for _, old := range gens {
			if old < gen {
				_ = os.Remove(filePath(m.opts.Dir, prefix, old)) // a file too many does no harm; it is tried again at the next start
			}
		}
	}
}
