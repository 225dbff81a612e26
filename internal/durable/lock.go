package durable

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockWait is how long Lock waits: a program that this process has started holds a
// copy of the lock until it runs, and the process before may be on its way out.
const lockWait = 2 * time.Second

// ErrLocked is that somebody else has the lock.
var ErrLocked = errors.New("in use by another process")

// TryLock keeps others who ask for it, in this process too, from locking the file name
// until what it returns is closed or the process ends, in whatever way. The file is made
// when it is not there, and stays.
func TryLock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// Lock is TryLock with some patience.
func Lock(name string) (*os.File, error) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(lockWait); ; <-again.C {
		f, err := TryLock(name)
		if !errors.Is(err, ErrLocked) || time.Now().After(end) {
			return f, err
		}
	}
}
