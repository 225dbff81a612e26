package inventory

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// childEnv makes the test program a child that creates extensions until it is
// killed; its value is the URL and the directory of the database.
const childEnv = "INVENTORY_TEST_CHILD"

// childMain creates extensions from several goroutines and prints the number of
// each one that was acknowledged.
func childMain() int {
	url, dir, _ := strings.Cut(os.Getenv(childEnv), " ")
	s, err := Open(context.Background(), database{url: url, dir: dir}.options())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				number := strconv.Itoa(1000 + worker + 8*i)
				if _, err := s.CreateExtension(context.Background(), phone.Extension{Number: number}); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Println(number) // one write to the pipe
			}
		})
	}
	wg.Wait()
	return 1
}

// What was acknowledged before a kill -9 is there afterwards, readable with the
// key, and the store goes on working.
func TestKillLosesNothing(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		acknowledged := runUntilKilled(t, d, 300)
		s := d.open(t)
		for _, number := range acknowledged {
			e, err := s.Extension(t.Context(), number)
			if err != nil {
				t.Fatalf("acknowledged extension %s: %v", number, err)
			}
			if c, err := s.Credential(t.Context(), e.SIPUsername); err != nil || c.Secret != e.Password {
				t.Fatalf("credential of %s: %v", number, err)
			}
		}
		addExtension(t, s, "99", "after the crash")
	})
}

// runUntilKilled kills the child after it has acknowledged n writes and returns
// all it acknowledged.
func runUntilKilled(t *testing.T, d database, n int) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), childEnv+"="+d.url+" "+d.dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var numbers []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if numbers = append(numbers, lines.Text()); len(numbers) == n {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the child was not killed: %v", err)
	}
	if len(numbers) < n {
		t.Fatalf("only %d acknowledged", len(numbers))
	}
	return numbers
}
