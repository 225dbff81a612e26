package uploads

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"pbx.dev/dialtone/internal/phone"
)

// Put stores a file of a phone, over the one it had of that name, and returns how
// long the file is. It is complete and on the disk
// when Put returns, or the old one is still there. With add, what comes is put
// behind what there is, and the oldest bytes go when that is too long: phones send
// their logs in pieces (phone-facts/request_sequence.md 1.2).
//
// Errors are phone.ErrTooLarge for one file, phone.ErrFull when there is no room
// left and phone.ErrBusy when too much is under way.
func (s *Store) Put(ctx context.Context, mac phone.MAC, name string, from io.Reader, add bool) (n int64, err error) {
	defer func() { s.metrics.stored(err) }()
	path, err := pathOf(mac, name)
	if err != nil {
		return 0, err
	}
	sh := s.shelf(mac)
	if !sh.limit.AllowN(s.now(), 1) {
		return 0, fmt.Errorf("upload %s: %w", name, phone.ErrBusy)
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return 0, fmt.Errorf("upload %s: %w", name, phone.ErrBusy)
	}
	if !s.room(sh, name) { // before the phone sends it all
		return 0, fmt.Errorf("upload %s: %w", name, phone.ErrFull)
	}
	tmp := partial + rand.Text()
	if err := s.receive(ctx, tmp, from); err != nil {
		return 0, errors.Join(fmt.Errorf("upload %s: %w", name, asFull(err)), s.discard(tmp))
	}
	n, err = s.place(mac, sh, tmp, path, name, add)
	if err != nil {
		return 0, errors.Join(fmt.Errorf("upload %s: %w", name, asFull(err)), s.discard(tmp))
	}
	return n, nil
}

// asFull makes phone.ErrFull of a disk without room: to the phone it is the same.
func asFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errors.Join(phone.ErrFull, err)
	}
	return err
}

// receive writes what the phone sends into a new file.
func (s *Store) receive(ctx context.Context, tmp string, from io.Reader) error {
	file, err := s.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(file, io.LimitReader(from, s.opts.MaxFile+1))
	switch {
	case err != nil:
	case ctx.Err() != nil:
		err = ctx.Err()
	case n > s.opts.MaxFile:
		err = phone.ErrTooLarge
	default:
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// place moves a received file to where it belongs, within the quotas.
func (s *Store) place(mac phone.MAC, sh *shelf, tmp, path, name string, add bool) (n int64, err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if add {
		if err := s.putBehind(path, tmp); err != nil {
			return 0, err
		}
	}
	info, err := s.root.Stat(tmp)
	if err != nil {
		return 0, err
	}
	n = info.Size()
	old, had := s.reserve(sh, name, n)
	if old < 0 {
		return 0, phone.ErrFull
	}
	if err := s.move(mac, tmp, path); err != nil {
		s.settle(sh, name, n, old, had)
		return 0, err
	}
	return n, nil
}

// room reports whether a file of that name can have a place, if it is short enough.
func (s *Store) room(sh *shelf, name string) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fitsLocked(sh, name, sh.files[name])
}

// fitsLocked needs both mutexes.
func (s *Store) fitsLocked(sh *shelf, name string, size int64) bool {
	old, had := sh.files[name]
	var own int64
	for _, n := range sh.files {
		own += n
	}
	return own-old+size <= s.opts.MaxPhone && s.total-old+size <= s.opts.MaxTotal && (had || len(sh.files) < s.opts.MaxFiles)
}

// reserve counts a file as n bytes long and returns how long it was; -1 when there
// is no room. sh.mu is held.
func (s *Store) reserve(sh *shelf, name string, n int64) (old int64, had bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.fitsLocked(sh, name, n) {
		return -1, false
	}
	old, had = sh.files[name]
	sh.files[name] = n
	s.total += n - old
	return old, had
}

// settle takes a reservation back. sh.mu is held.
func (s *Store) settle(sh *shelf, name string, n, old int64, had bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total += old - n
	if had {
		sh.files[name] = old
	} else {
		delete(sh.files, name)
	}
}

// move is atomic, and durable when it returns.
func (s *Store) move(mac phone.MAC, tmp, path string) error {
	if err := s.root.Mkdir(mac.Hex(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := s.root.Rename(tmp, path); err != nil {
		return err
	}
	return errors.Join(s.syncDir(mac.Hex()), s.syncDir("."))
}

func (s *Store) syncDir(name string) error {
	d, err := s.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// putBehind makes tmp the file at path with tmp behind it, at most MaxFile bytes of
// the end.
func (s *Store) putBehind(path, tmp string) error {
	old, err := s.root.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(old) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	piece, err := s.root.ReadFile(tmp)
	if err != nil {
		return err
	}
	all := slices.Concat(old, piece)
	all = all[max(0, int64(len(all))-s.opts.MaxFile):]
	file, err := s.root.OpenFile(tmp, os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(all)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func (s *Store) discard(name string) error {
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
