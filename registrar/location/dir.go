package location

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

func journalPath(dir string, gen uint64) string { return filePath(dir, journalPrefix, gen) }

func snapshotPath(dir string, gen uint64) string { return filePath(dir, snapshotPrefix, gen) }

func filePath(dir, prefix string, gen uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%s%016d", prefix, gen))
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
