package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s", what)
		panic("not reached")
	}
}

// Another node hears what is committed, in order, and nothing of what is not;
// what is too long to say shows as a gap. The node itself hears none of it.
func TestNotify(t *testing.T) {
	t.Parallel()
	o := Options{URL: postgres.URL(t), Migrations: scripts(schema)}
	own := o
	own.OnRemote = func(payload string) { t.Errorf("the node hears itself: %s", payload) }
	a := open(t, own)
	heard, gaps := make(chan string, 10), make(chan bool, 10)
	o.OnRemote = func(payload string) { heard <- payload }
	o.OnGap = func(live bool) { gaps <- live }
	open(t, o)
	wait(t, "first gap", gaps)
	for _, payload := range []string{"one", "undone", "two", strings.Repeat("x", 8000)} {
		err := a.Write(t.Context(), func(tx *Tx) error {
			if err := tx.Notify(payload); err != nil {
				return err
			}
			if payload == "undone" {
				return errors.New("changed my mind")
			}
			return nil
		})
		if (err != nil) != (payload == "undone") {
			t.Error(err)
		}
	}
	for _, want := range []string{"one", "two"} {
		if got := wait(t, "notification", heard); got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
	if live := wait(t, "gap", gaps); !live {
		t.Error("the gap says that nothing is heard any more")
	}
}

// The server drops all connections: writes and reads go on, and the listener
// says that it has missed something and when it is back.
func TestConnectionsLost(t *testing.T) {
	t.Parallel()
	o := Options{URL: postgres.URL(t), Migrations: scripts(schema)}
	gaps := make(chan bool, 10)
	o.OnGap = func(live bool) { gaps <- live }
	db := open(t, o)
	wait(t, "first gap", gaps)
	if err := db.Write(t.Context(), put("before")); err != nil {
		t.Fatal(err)
	}
	names(t, db)
	dropConnections(t, o.URL)
	if live := wait(t, "loss", gaps); live {
		t.Error("the loss was not told")
	}
	if live := wait(t, "return", gaps); !live {
		t.Error("the return was not told")
	}
	if err := db.Write(t.Context(), put("after")); err != nil {
		t.Error(err)
	}
	// Also in the midst of a transaction, which then runs again.
	runs := 0
	err := db.Write(t.Context(), func(tx *Tx) error {
		if runs++; runs == 1 {
			dropConnections(t, o.URL)
		}
		return put("retried")(tx)
	})
	if err != nil || runs != 2 {
		t.Errorf("%d runs, %v", runs, err)
	}
	if got := names(t, db); len(got) != 3 {
		t.Errorf("stored %v", got)
	}
}

func dropConnections(t *testing.T, url string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	if err != nil {
		t.Fatal(err)
	}
}
