package location

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

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
