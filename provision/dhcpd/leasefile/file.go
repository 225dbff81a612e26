package leasefile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"pbx.dev/dialtone/internal/durable"
	"pbx.dev/dialtone/internal/phone"
)

const (
	magic = "DTLEASE1"
	// A record is the length of its payload, the checksum of that, and the payload:
	// MAC, expiry in Unix milliseconds, then address, client id and vendor, each with
	// a length of two bytes.
	recordHeader = 8
	fixedPart    = 6 + 8
	maxText      = 1024 // of each text; longer ones are cut
	maxRecord    = fixedPart + 3*(2+maxText)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errDamaged = errors.New("a record is damaged")

func appendRecord(b []byte, c change) []byte {
	start := len(b)
	b = append(b, make([]byte, recordHeader)...)
	b = append(b, c.MAC[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(c.ExpiresAt.UnixMilli()))
	for _, text := range [...]string{c.IP, c.ClientID, c.Vendor} {
		text = text[:min(len(text), maxText)]
		b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
		b = append(b, text...)
	}
	payload := b[start+recordHeader:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(payload, castagnoli))
	return b
}

func parseRecord(p []byte) (change, error) {
	if len(p) < fixedPart {
		return change{}, errDamaged
	}
	c := change{MAC: phone.MAC(p[:6]), ExpiresAt: time.UnixMilli(int64(binary.LittleEndian.Uint64(p[6:]))).UTC()}
	p = p[fixedPart:]
	for _, text := range [...]*string{&c.IP, &c.ClientID, &c.Vendor} {
		if len(p) < 2 || len(p) < 2+int(binary.LittleEndian.Uint16(p)) {
			return change{}, errDamaged
		}
		n := 2 + int(binary.LittleEndian.Uint16(p))
		*text, p = string(p[2:n]), p[n:]
	}
	return c, nil
}

// readAll calls fn with each record and returns how much of the file is sound. What
// follows the last sound record is zeros, or damaged: what a crash left of a write
// nobody was told of.
func readAll(f *os.File, fn func(change)) (sound int64, damaged bool, err error) {
	in := bufio.NewReaderSize(f, 1<<16)
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(in, head); err != nil || string(head) != magic {
		return 0, false, fmt.Errorf("%s is no file of leases", f.Name())
	}
	sound = int64(len(magic))
	buf := make([]byte, maxRecord)
	for {
		var h [recordHeader]byte
		if _, err := io.ReadFull(in, h[:]); err != nil {
			return sound, errors.Is(err, io.ErrUnexpectedEOF), torn(err)
		}
		n := binary.LittleEndian.Uint32(h[:])
		if n == 0 || n > maxRecord {
			return sound, h != [recordHeader]byte{}, nil
		}
		if _, err := io.ReadFull(in, buf[:n]); err != nil {
			return sound, true, torn(err)
		}
		if crc32.Checksum(buf[:n], castagnoli) != binary.LittleEndian.Uint32(h[4:]) {
			return sound, true, nil
		}
		c, err := parseRecord(buf[:n])
		if err != nil {
			return sound, true, err
		}
		fn(c)
		sound += recordHeader + int64(n)
	}
}

// torn tells the end of the file from a failure to read it.
func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// commit makes a batch durable and then visible.
func (s *Store) commit(b *batch) error {
	if s.bad {
		if err := s.rewrite(); err != nil {
			return err
		}
	}
	if err := s.append(b.records); err != nil {
		s.bad = true // written anew before anything else is acknowledged
		return fmt.Errorf("write the leases: %w", err)
	}
	s.live.Lock()
	for _, c := range b.changes {
		apply(s.leases, c)
	}
	n := len(s.leases)
	s.live.Unlock()
	const usual = 96 // bytes of a record
	if s.size > compactAbove && s.size > compactRatio*usual*int64(n) {
		if err := s.rewrite(); err != nil {
			s.log.Error("leases not written anew", "error", err)
		}
	}
	return nil
}

// chunk is how much of the file is filled with zeros ahead. To sync what replaces
// them the file system need not write that the file has grown, which costs several
// times the data, and has to wait for what other programs do.
const chunk = 1 << 20

func (s *Store) append(p []byte) error {
	if end := s.size + int64(len(p)); end > s.filled {
		if _, err := s.file.WriteAt(make([]byte, end-s.filled+chunk), s.filled); err != nil {
			return err
		}
		s.filled = end + chunk
	}
	if _, err := s.file.WriteAt(p, s.size); err != nil {
		return err
	}
	if err := datasync(s.file); err != nil {
		return err
	}
	s.size += int64(len(p))
	return nil
}

// rewrite puts a file with the live leases in the place of the old one.
func (s *Store) rewrite() error {
	path := filepath.Join(s.dir, fileName)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	b := []byte(magic)
	for _, l := range s.leases { // only the committer writes to the map
		b = appendRecord(b, l)
	}
	if err = s.replace(f, path, b); err != nil {
		f.Close()
		return err
	}
	if s.file != nil {
		s.file.Close()
	}
	s.file, s.size, s.filled, s.bad = f, int64(len(b)), int64(len(b)), false
	return nil
}

func (s *Store) replace(f *os.File, path string, b []byte) error {
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if err := datasync(f); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return durable.SyncDir(s.dir)
}

func datasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
