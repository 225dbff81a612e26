// Package pgtest gives tests a real PostgreSQL server of their own, on a Unix
// socket in a temporary directory. It is imported by tests only.
package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"pbx.dev/dialtone/internal/testkit"
)

// Server is a PostgreSQL server that starts when a test first needs it. TestMain
// makes one and stops it.
type Server struct {
	once   sync.Once
	err    error // why it did not start
	dir    string
	stdin  io.Closer // closing it stops the server, so it cannot outlive the tests
	cmd    *exec.Cmd
	mu     sync.Mutex
	serial int
}

// URL returns the URL of a new, empty database.
func (s *Server) URL(t testing.TB) string {
	t.Helper()
	bin := binDir(t)
	s.once.Do(func() { s.err = s.start(bin) })
	if s.err != nil {
		t.Fatalf("start postgresql: %v", s.err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	name := fmt.Sprintf("test%d", s.serial)
	conn, err := pgx.Connect(context.Background(), s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(context.Background(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.url(name)
}

func (s *Server) url(database string) string {
	return "postgres://postgres@/" + database + "?host=" + s.dir
}

// binDir finds the server's programs, which Debian keeps out of PATH.
func binDir(t testing.TB) string {
	t.Helper()
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(dirs) == 0 {
		return filepath.Dir(testkit.Need(t, "initdb"))
	}
	return filepath.Dir(slices.Max(dirs))
}

func (s *Server) start(bin string) error {
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return err
	}
	s.dir = dir
	who, err := serverUser(dir)
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
	initdb.SysProcAttr = who
	initdb.Dir = dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s.run(bin, data, who)
}

// run starts the server under a shell that ends it when our end of the pipe
// closes, be it by Stop or because the test process was killed.
func (s *Server) run(bin, data string, who *syscall.SysProcAttr) error {
	s.cmd = exec.Command("/bin/sh", "-c", `"$@" & pid=$!; read line; kill -QUIT $pid; wait $pid`, "sh",
		filepath.Join(bin, "postgres"), "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off",
		"-c", "max_connections=300")
	s.cmd.SysProcAttr = who
	s.cmd.Dir = s.dir
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.stdin = stdin
	ready := make(chan error, 1)
	go watch(stderr, ready)
	select {
	case err := <-ready:
		return err
	case <-time.After(30 * time.Second):
		return errors.New("not ready after 30 s")
	}
}

// watch reads the server's log to its end and tells when it is ready.
func watch(log io.Reader, ready chan<- error) {
	lines := bufio.NewScanner(log)
	var text strings.Builder
	for told := false; lines.Scan(); {
		if !told && strings.Contains(lines.Text(), "ready to accept connections") {
			told = true
			ready <- nil
		}
		if !told {
			text.WriteString(lines.Text() + "\n")
		}
	}
	select {
	case ready <- errors.New("the server ended: " + text.String()):
	default:
	}
}

// serverUser is who runs the server, which refuses to be root.
func serverUser(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	who := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return &syscall.SysProcAttr{Credential: who}, os.Chown(dir, int(uid), int(gid))
}

// Stop ends the server, if it runs, and removes its files.
func (s *Server) Stop() error {
	if s.dir == "" {
		return nil
	}
	if s.stdin != nil {
		_ = s.stdin.Close()
		_ = s.cmd.Wait() // it was killed: no success to expect
	}
	return os.RemoveAll(s.dir)
}
