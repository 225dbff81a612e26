package location_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

const childDir = "LOCATION_TEST_CHILD_DIR"

// runChild is what the test program does when TestMemoryKilled starts it: it
// applies updates until it is killed, and writes down each that was acknowledged.
func runChild() bool {
	dir := os.Getenv(childDir)
	if dir == "" {
		return false
	}
	s, err := location.NewMemory(location.MemoryOptions{Dir: dir, CompactBytes: 100000})
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for n := 1; ; n++ {
				aor := aorN(w*10 + n%10)
				u := register(aor, fmt.Sprintf("c%d", n%3), uint32(n), time.Hour)
				u.Contacts[0].Flow = strconv.Itoa(n)
				ack := func() {
					mu.Lock()
					fmt.Fprintf(os.Stdout, "%s %s %d\n", aor, u.Contacts[0].ID, n)
					mu.Unlock()
				}
				if w%2 == 0 {
					submitOne(s, u, ack)
					continue
				}
				if _, err := s.Apply(context.Background(), u); err != nil {
					panic(err)
				}
				ack()
			}
		})
	}
	wg.Wait()
	return true
}

// submitOne acknowledges from the goroutine of the store, as the registrar does.
func submitOne(s location.Submitter, u location.Update, ack func()) {
	done := make(chan struct{})
	s.Submit([]location.Update{u}, func(outs []location.Outcome) {
		if outs[0].Err != nil {
			panic(outs[0].Err)
		}
		ack()
		close(done)
	})
	<-done
}

// TestMemoryKilled: what was acknowledged before kill -9 is there afterwards.
func TestMemoryKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 3 {
		acked := killMidway(t, dir, 3000)
		s, err := location.NewMemory(location.MemoryOptions{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for name, n := range acked {
			aor, id, _ := strings.Cut(name, " ")
			bs, err := s.Lookup(t.Context(), location.AOR(aor))
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, b := range bs {
				// A later update may have reached the disk without its answer.
				found = found || b.ID == id && int(b.CSeq) >= n && b.Flow == strconv.Itoa(int(b.CSeq))
			}
			if !found {
				t.Errorf("round %d: %s with cseq %d was acknowledged and is not there: %+v", round, name, n, bs)
			}
		}
		// The next round begins with CSeq 1 again.
		for w := range 160 {
			apply(t, s, location.Update{AOR: aorN(w), CallID: "clear", CSeq: 1, RemoveAll: true})
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killMidway returns the last acknowledged CSeq by "aor id".
func killMidway(t *testing.T, dir string, after int) map[string]int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := map[string]int{}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		if n == after {
			_ = cmd.Process.Kill()
		}
		f := strings.Fields(lines.Text())
		if len(f) != 3 {
			continue // the line that was cut
		}
		cseq, err := strconv.Atoi(f[2])
		if err != nil {
			continue
		}
		if name := f[0] + " " + f[1]; cseq > acked[name] {
			acked[name] = cseq
		}
	}
	_ = cmd.Wait()
	if len(acked) < 100 {
		t.Fatalf("the child acknowledged %d bindings only", len(acked))
	}
	return acked
}
