package location

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
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

func journalPath(dir string, gen uint64) string  { return filePath(dir, journalPrefix, gen) }
func snapshotPath(dir string, gen uint64) string { return filePath(dir, snapshotPrefix, gen) }

func filePath(dir, prefix string, gen uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%s%016d", prefix, gen))
}

// generations lists the generations that have a file of that prefix, ascending.
func generations(dir, prefix string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var gens []uint64
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok {
			continue
		}
		if gen, err := strconv.ParseUint(digits, 10, 64); err == nil {
			gens = append(gens, gen)
		}
	}
	slices.Sort(gens)
	return gens, nil
}

// readRecords calls fn with each payload of a file and returns how much of the
// file is sound. An error beyond that is errRecord: a torn or damaged record,
// after which nothing can be told apart.
func readRecords(path string, fn func(payload string) error) (sound int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	head := make([]byte, len(fileMagic))
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, errRecord // a crash at its first write
	}
	if string(head) != fileMagic {
		return 0, fmt.Errorf("%s is of another version or no file of registrations", path)
	}
	sound = int64(len(fileMagic))
	var buf []byte
	for {
		var payload string
		payload, buf, err = readRecord(in, buf)
		if errors.Is(err, io.EOF) {
			return sound, nil
		}
		if err != nil {
			return sound, err
		}
		if err := fn(payload); err != nil {
			return sound, err
		}
		sound += recordHeader + int64(len(payload))
	}
}

// readRecord reads by way of buf, which it returns for the next time.
func readRecord(in *bufio.Reader, buf []byte) (string, []byte, error) {
	var head [recordHeader]byte
	switch _, err := io.ReadFull(in, head[:]); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		if head == [recordHeader]byte{} {
			return "", buf, io.EOF // the last of the zeros
		}
		return "", buf, errRecord
	case err != nil:
		return "", buf, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 {
		return "", buf, onlyZeros(in)
	}
	if n > maxRecord {
		return "", buf, errRecord
	}
	buf = slices.Grow(buf[:0], int(n))[:n]
	if _, err := io.ReadFull(in, buf); err != nil {
		return "", buf, errRecord
	}
	if crc32.Checksum(buf, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return "", buf, errRecord
	}
	return string(buf), buf, nil
}

func fdatasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// syncDir makes a new or renamed file of dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// lockWait is how long lockDir waits for a lock: a program that this process has
// started holds a copy until it runs, and the process before may be on its way out.
const lockWait = 2 * time.Second

// lockDir keeps a second process, and a second Memory of this one, out of dir.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(lockWait); ; <-again.C {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return f, nil
		}
		if time.Now().After(end) {
			f.Close()
			return nil, fmt.Errorf("%s is in use by another process", dir)
		}
	}
}
