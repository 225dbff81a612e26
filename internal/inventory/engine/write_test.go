package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// busy keeps the writer inside a transaction until release is called.
func busy(t *testing.T, db *DB) (release func()) {
	t.Helper()
	in, out, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		first := sync.OnceFunc(func() { close(in) })
		done <- db.Write(context.Background(), func(*Tx) error {
			first()
			<-out
			return nil
		})
	}()
	<-in
	return func() {
		close(out)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// queued waits until n writes are in the queue.
func queued(db *DB, n int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(db.jobs) < n {
		<-tick.C
	}
}

// Writes that wait together commit together; bad ones among them fail alone,
// whether they fail before, in or after a statement, and hooks run in order.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	sentinel := errors.New("changed my mind")
	bad := map[int]func(*Tx) error{
		3: func(*Tx) error { return sentinel },                                                     // changed nothing
		5: func(tx *Tx) error { return errors.Join(put("undone")(tx), sentinel) },                  // after a change
		7: put("00"),                                                                               // refused by the database
		9: func(tx *Tx) error { _ = put("undone too")(tx); panic("boom") },                         // panics
		8: func(tx *Tx) error { _, _ = tx.Exec(`INSERT INTO nonsense`); return nil },               // hides a failure
		4: func(tx *Tx) error { _, err := tx.Exec(`INSERT INTO parts VALUES ('no')`); return err }, // no such item
	}
	for name, spoil := range map[string]bool{"all good": false, "some bad": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachDatabase(t, func(t *testing.T, o Options) { groupCommit(t, open(t, o), bad, spoil) })
		})
	}
}

func groupCommit(t *testing.T, db *DB, bad map[int]func(*Tx) error, spoil bool) {
	const n = 20
	release := busy(t, db)
	var (
		wg    sync.WaitGroup
		errs  [n]error
		txs   [n]*Tx
		hooks []string
		want  []string
	)
	for i := range n {
		name := fmt.Sprintf("%02d", i)
		fn := put(name)
		if spoil && bad[i] != nil {
			fn = bad[i]
		} else {
			want = append(want, name)
		}
		wg.Go(func() {
			errs[i] = db.Write(context.Background(), func(tx *Tx) error {
				txs[i] = tx
				tx.OnCommit(func() { hooks = append(hooks, name) })
				return fn(tx)
			})
		})
		queued(db, i+1) // so that they keep their order
	}
	release()
	wg.Wait()
	if got := names(t, db); !slices.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
	if !slices.Equal(hooks, want) {
		t.Errorf("hooks %v, want %v", hooks, want)
	}
	for i, err := range errs {
		if failed := spoil && bad[i] != nil; (err != nil) != failed {
			t.Errorf("write %d: %v", i, err)
		}
		if !spoil && txs[i] != txs[0] {
			t.Errorf("write %d had a transaction of its own", i)
		}
	}
	if spoil && !IsKind(errs[7], Unique) || spoil && !IsKind(errs[4], ForeignKey) {
		t.Errorf("kinds of %v and %v", errs[7], errs[4])
	}
}

// A caller that gives up before its turn has written nothing; one that gives up
// later still learns what became of it.
func TestWriteGivesUp(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, o Options) {
		db := open(t, o)
		release := busy(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- db.Write(ctx, put("a")) }()
		queued(db, 1)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		release()
		ctx, cancel = context.WithCancel(t.Context())
		err := db.Write(ctx, func(tx *Tx) error {
			cancel()
			return put("b")(tx)
		})
		if err != nil {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff([]string{"b"}, names(t, db)); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	})
}

// Close finishes what was accepted, and refuses the rest.
func TestClose(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, o Options) {
		db := open(t, o)
		release := busy(t, db)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if err := db.Write(context.Background(), put(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		queued(db, 10)
		closed := make(chan error)
		go func() { closed <- db.Close() }()
		<-db.closing
		release()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		wg.Wait()
		if err := db.Write(t.Context(), put("late")); !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
		if got := names(t, open(t, o)); len(got) != 10 {
			t.Errorf("stored %v", got)
		}
	})
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, o Options) {
		db := open(t, o)
		_, err := One(db.Reader(t.Context()), Scalar[string], `SELECT name FROM items WHERE name = $1`, "x")
		if !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("no row: %v", err)
		}
		var ours *Error
		if _, err := All(db.Reader(t.Context()), Scalar[string], `SELECT nonsense`); !errors.As(err, &ours) {
			t.Errorf("bad query: %T %v", err, err)
		}
		if _, err := All(db.Reader(t.Context()), Scalar[int], `SELECT 'text'`); !errors.As(err, &ours) {
			t.Errorf("bad scan: %T %v", err, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := All(db.Reader(ctx), Scalar[int], `SELECT 1`); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
	})
}
