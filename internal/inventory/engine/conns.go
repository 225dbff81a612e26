package engine

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// pool is a connection pool with its prepared statements. The SQL texts of a
// program are a fixed set, so the statements are too.
type pool struct {
	db    *sql.DB
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

func newPool(db *sql.DB) *pool { return &pool{db: db, stmts: map[string]*sql.Stmt{}} }

func (p *pool) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.RLock()
	s := p.stmts[query]
	p.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	s, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.stmts[query]; other != nil {
		_ = s.Close() // lost the race to prepare it
		return other, nil
	}
	p.stmts[query] = s
	return s, nil
}

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.stmts {
		_ = s.Close() // the connection goes next
	}
	return p.db.Close()
}

// session is the one connection that writes, with statements prepared on it. It
// has a single user at a time and no lock.
type session struct {
	db    *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// begin starts a transaction, on a new connection when the last one was ended.
func (s *session) begin(ctx context.Context) (*sql.Tx, error) {
	for attempt := 0; ; attempt++ {
		conn, err := s.open(ctx)
		if err != nil {
			return nil, err
		}
		tx, err := conn.BeginTx(ctx, nil)
		if err == nil {
			return tx, nil
		}
		// An idle connection may have died since; another gets one chance.
		if err = errors.Join(err, s.end()); attempt > 0 || ctx.Err() != nil {
			return nil, err
		}
	}
}

func (s *session) open(ctx context.Context) (*sql.Conn, error) {
	if s.conn != nil {
		return s.conn, nil
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s.conn, s.stmts = conn, map[string]*sql.Stmt{}
	return conn, nil
}

// prepare returns a statement of the session; inside a transaction it runs in it.
func (s *session) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt := s.stmts[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, query)
	if err == nil {
		s.stmts[query] = stmt
	}
	return stmt, err
}

// end gives the connection back; the next begin starts afresh.
func (s *session) end() error {
	if s.conn == nil {
		return nil
	}
	for _, stmt := range s.stmts {
		_ = stmt.Close() // a broken connection cannot close them
	}
	err := s.conn.Close()
	s.conn, s.stmts = nil, nil
	if errors.Is(err, sql.ErrConnDone) {
		return nil // it was broken, which its user has been told
	}
	return err
}
