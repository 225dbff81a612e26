package location

import (
	"os"
)

// The directory of a Memory holds "lock", and per generation n "journal-n" and
// "snapshot-n", the state when journal-n was begun. To load is to read the
// newest snapshot and every journal from its generation on.
const (
	fileMagic      = "DTLOC01\n"
	journalPrefix  = "journal-"
	snapshotPrefix = "snapshot-"
)

// journal is the file that is appended to. Only the committer uses it.
type journal struct {
	dir  string
	sync bool
	file *os.File
	gen  uint64
	size int64
	// prepared is how long the file is: from size on it is zeros. To write where there
	// is a file already spares the disk, and us, the change of its metadata with every
	// sync, which is half of what a sync costs.
	prepared int64
	// bad: the last write or sync failed, so that nothing is known of the file
	// beyond size; the next append begins a new one.
	bad bool
	// suspect: an earlier file was left behind bad. A snapshot must replace it,
	// because what it holds beyond size was answered with an error.
	suspect bool
}

// append makes p durable or returns an error, after which p counts as not
// written.
func (j *journal) append(p []byte) error {
	if j.bad || j.file == nil {
		if err := j.rotate(); err != nil {
			return err
		}
	}
	if err := j.write(p); err != nil {
		j.bad, j.suspect = true, true
		// Best effort: the snapshot that follows replaces the file.
		_ = j.file.Truncate(j.size)
		j.prepared = j.size
		return err
	}
	j.size += int64(len(p))
	return nil
}

func (j *journal) write(p []byte) error {
	if end := j.size + int64(len(p)); j.sync && end > j.prepared {
		if err := j.prepare(end); err != nil {
			return err
		}
	}
	if _, err := j.file.WriteAt(p, j.size); err != nil {
		return err
	}
	if !j.sync {
		return nil
	}
	return fdatasync(j.file)
}

// rotate goes on in a new file of the next generation.
func (j *journal) rotate() error {
	f, err := os.OpenFile(journalPath(j.dir, j.gen+1), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err = startFile(f, j.dir, j.sync); err != nil {
		f.Close()
		return err
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.gen, j.size, j.bad = f, j.gen+1, int64(len(fileMagic)), false
	j.prepared = j.size
	return nil
}

func startFile(f *os.File, dir string, sync bool) error {
	if _, err := f.WriteAt([]byte(fileMagic), 0); err != nil || !sync {
		return err
	}
	if err := fdatasync(f); err != nil {
		return err
	}
	return syncDir(dir)
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	_ = j.file.Truncate(j.size) // zeros at the end do no harm
	return j.file.Close()
}
