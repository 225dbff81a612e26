package tftpd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/testkit"
	"pbx.dev/dialtone/provision"
)

// store keeps what it is given, up to 100 kB, of names that end in ".log".
type store struct {
	mu    sync.Mutex
	files map[string]string
}

const quota = 100_000

func (s *store) Put(_ context.Context, r provision.Request, body io.Reader) error {
	switch {
	case strings.HasPrefix(r.Path, "broken"):
		return errors.New("/var/lib/secret: input/output error")
	case strings.HasPrefix(r.Path, "panics"):
		panic("boom")
	case r.Method != "WRQ" || r.Proto != "tftp" || !strings.HasSuffix(r.Path, ".log"):
		return fmt.Errorf("put %s: %w", r.Path, phone.ErrNotFound)
	case strings.HasPrefix(r.Path, "full"):
		return phone.ErrFull
	case strings.HasPrefix(r.Path, "busy"):
		return phone.ErrBusy
	}
	b, err := io.ReadAll(io.LimitReader(body, quota+1))
	if err != nil {
		return err
	}
	if len(b) > quota {
		return phone.ErrTooLarge
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[r.Path] = string(b)
	return nil
}

func (s *store) get(name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.files[name]
	return text, ok
}

// Other people's clients send logs; when they say that they are done, the store has
// the file.
func TestUploads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for program, args := range map[string]func(addr *net.UDPAddr, from, name string) []string{
		"tftp": func(addr *net.UDPAddr, from, name string) []string {
			return []string{"-m", "binary", "127.0.0.1", portOf(addr), "-c", "put", from, name}
		},
		"atftp": func(addr *net.UDPAddr, from, name string) []string {
			return []string{"--option", "blksize 1428", "-p", "-l", from, "-r", name, "127.0.0.1", portOf(addr)}
		},
		"curl": func(addr *net.UDPAddr, from, name string) []string {
			return []string{"-sS", "-T", from, "tftp://127.0.0.1:" + portOf(addr) + "/" + name}
		},
	} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			path := testkit.Need(t, program)
			s := &store{files: map[string]string{}}
			addr := start(t, Options{Files: getter{}, Uploads: s})
			for i, size := range []int{0, 1, 511, 512, 1024, 1428, 50_000} {
				from := filepath.Join(dir, fmt.Sprint(program, size))
				want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
				if err := os.WriteFile(from, want, 0o600); err != nil {
					t.Fatal(err)
				}
				if size == 0 && program == "curl" {
					continue // sends no file that is empty
				}
				name := fmt.Sprintf("0004f2abcdef-%d.log", i)
				out := run(t, path, args(addr, from, name))
				if got, ok := s.get(name); !ok || got != string(want) {
					t.Errorf("%d bytes: stored %v, %d bytes: %s", size, ok, len(got), out)
				}
			}
			from := filepath.Join(dir, program+"large")
			if err := os.WriteFile(from, make([]byte, 3*quota), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"large.log", "full.log", "nothing.cfg", "broken.log", "panics.log"} {
				out := run(t, path, args(addr, from, name))
				if _, ok := s.get(name); ok {
					t.Errorf("%s is stored", name)
				}
				if strings.Contains(out, "secret") {
					t.Errorf("%s: the client says %q", name, out)
				}
			}
		})
	}
}

// What is not taken is refused before anything of it is sent, with the right code.
func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	addr := start(t, Options{Files: getter{}, Uploads: &store{files: map[string]string{}}})
	for name, want := range map[string]*refusal{
		"nothing.cfg": refuseWrite, "full.log": refuseFull, "busy.log": refuseBusy, "broken.log": refuseOurs, "panics.log": refuseOurs,
	} {
		c := dial(t)
		c.ask(addr, "\x00\x02"+name+"\x00octet\x00")
		if got, _ := c.answer(); got != string(want.packet()) {
			t.Errorf("%s is answered %q", name, got)
		}
	}
}

// A phone that goes away in the middle stores nothing, and stopping does not wait
// for it long.
func TestUploadThatBreaksOff(t *testing.T) {
	t.Parallel()
	s := &store{files: map[string]string{}}
	addr, stop := startStoppable(t, Options{Files: getter{}, Uploads: s, Timeout: 20 * time.Millisecond})
	c := dial(t)
	c.ask(addr, "\x00\x02a.log\x00octet\x00")
	_, tid := c.answer()
	c.ask(tid, "\x00\x03\x00\x01"+strings.Repeat("x", 512))
	for { // the acknowledgement of nothing may have been repeated
		if got, _ := c.answer(); got == ack(1) {
			break
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got, ok := s.get("a.log"); ok {
		t.Errorf("half a file is stored: %d bytes", len(got))
	}
}
