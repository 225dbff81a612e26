package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	channel    = "dialtone_inventory"
	maxPayload = 7900             // PostgreSQL refuses 8000 bytes
	pingEvery  = 10 * time.Second // how long a dead connection may look alive
	retryEvery = time.Second
)

func newNode() string { return rand.Text()[:12] }

// connectListener opens the connection on which others' commits are heard.
func (db *DB) connectListener(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, db.opts.URL)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", db.dialect.clean(err))
	}
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", db.dialect.clean(err)), conn.Close(ctx))
	}
	return conn, nil
}

// listen hears others' commits until ctx ends. While the connection is away it
// says so through OnGap, and again when it is back.
func (db *DB) listen(ctx context.Context, conn *pgx.Conn) {
	for {
		err := db.hear(ctx, conn)
		closeListener(conn)
		if ctx.Err() != nil {
			return
		}
		db.gap(func() { db.live = false })
		db.log.WarnContext(ctx, "lost the connection that tells of other nodes' writes", "error", err)
		if conn = db.reconnect(ctx); conn == nil {
			return
		}
		db.gap(func() { db.live = true })
		db.log.InfoContext(ctx, "hearing of other nodes' writes again")
	}
}

// hear passes notifications on until the connection fails or ctx ends.
func (db *DB) hear(ctx context.Context, conn *pgx.Conn) error {
	for {
		wait, cancel := context.WithTimeout(ctx, pingEvery)
		n, err := conn.WaitForNotification(wait)
		quiet := wait.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case err == nil:
			db.heard(n.Payload)
		case quiet && !conn.IsClosed():
			if err := ping(ctx, conn); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

func ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, pingEvery)
	defer cancel()
	return conn.Ping(ctx)
}

func (db *DB) heard(text string) {
	from, payload, _ := strings.Cut(text, " ")
	node, at, _ := strings.Cut(from, "@")
	switch {
	case node == db.node: // our own
		return
	case payload == "":
		db.gap(func() {})
	default:
		db.opts.OnRemote(payload)
	}
	if ms, err := strconv.ParseInt(at, 10, 64); err == nil { // nodes of before do not say
		db.metrics.heard.Observe(max(0, db.opts.Now().Sub(time.UnixMilli(ms)).Seconds()))
	}
}

func (db *DB) reconnect(ctx context.Context) *pgx.Conn {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		if conn, err := db.connectListener(ctx); err == nil {
			return conn
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func closeListener(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // nothing more is wanted of it
}
