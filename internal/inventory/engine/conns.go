package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
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
// has a single user at a time and no lock. Transactions are begun and ended by
// statement: under a sql.Tx a statement that finds the connection dead would wait
// for the lock that the transaction itself holds.
type session struct {
	db    *sql.DB
	start string // the statement that begins a transaction
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// begin starts a transaction. An idle connection may have died since it was last
// used, so another gets one chance.
func (s *session) begin(ctx context.Context) error {
	idle := s.conn != nil
	err := s.exec(ctx, s.start)
	if err != nil && idle && ctx.Err() == nil {
		err = s.exec(ctx, s.start)
	}
	return err
}

func (s *session) commit(ctx context.Context) error { return s.exec(ctx, "COMMIT") }

// rollback undoes the transaction; ending the connection does that too.
func (s *session) rollback(ctx context.Context) {
	if s.conn != nil {
		_ = s.exec(ctx, "ROLLBACK")
	}
}

// exec runs a statement or a script. After an error the connection is not used
// again: nobody can say what state it is in.
func (s *session) exec(ctx context.Context, script string) error {
	conn, err := s.open(ctx)
	if err != nil {
		return err
	}
	if _, err = conn.ExecContext(ctx, script); err != nil {
		s.end()
	}
	return err
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

// prepare returns a statement of the transaction's connection.
func (s *session) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s.conn == nil {
		return nil, sql.ErrConnDone
	}
	if stmt := s.stmts[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, query)
	if err == nil {
		s.stmts[query] = stmt
	}
	return stmt, err
}

// end closes the connection; the next begin opens another.
func (s *session) end() {
	if s.conn == nil {
		return
	}
	for _, stmt := range s.stmts {
		_ = stmt.Close() // a broken connection cannot close them
	}
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn }) // keeps it out of the pool
	_ = s.conn.Close()                                           // says only that it is closed
	s.conn, s.stmts = nil, nil
}
