package engine

import (
	"context"
	"database/sql"
)

// Row is one result row.
type Row interface{ Scan(dest ...any) error }

// Querier runs SELECT and RETURNING statements: a Reader or a *Tx.
type Querier interface {
	rows(query string, args []any) (*sql.Rows, error)
	clean(err error) error
}

// Reader reads what is committed, outside of any transaction of ours.
type Reader struct {
	db  *DB
	ctx context.Context
}

var (
	_ Querier = Reader{}
	_ Querier = (*Tx)(nil)
)

// Reader returns a reader bounded by ctx.
func (db *DB) Reader(ctx context.Context) Reader { return Reader{db: db, ctx: ctx} }

// rows starts the query, again when the connection it was given turns out to be
// dead: reading twice harms nobody.
func (r Reader) rows(query string, args []any) (*sql.Rows, error) {
	for attempt := 1; ; attempt++ {
		rows, err := r.query(query, args)
		if err == nil || attempt == maxAttempts || r.db.dialect.code(err) != Retry {
			return rows, err
		}
	}
}

func (r Reader) query(query string, args []any) (*sql.Rows, error) {
	s, err := r.db.reads.prepare(r.ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(r.ctx, args...)
}

func (r Reader) clean(err error) error { return r.db.dialect.clean(err) }

// All runs a query and scans every row. Errors are *Error or a context error.
func All[T any](q Querier, scan func(Row) (T, error), query string, args ...any) ([]T, error) {
	var list []T
	err := Each(q, func(row Row) error {
		v, err := scan(row)
		list = append(list, v)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// One is All for exactly one row; phone.ErrNotFound when there is none.
func One[T any](q Querier, scan func(Row) (T, error), query string, args ...any) (T, error) {
	list, err := All(q, scan, query, args...)
	if err == nil && len(list) == 0 {
		err = q.clean(sql.ErrNoRows)
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return list[0], nil
}

// Each runs a query and calls scan for every row until it fails. An error that
// scan makes itself comes back as it is.
func Each(q Querier, scan func(Row) error, query string, args ...any) error {
	rows, err := q.rows(query, args)
	if err != nil {
		return q.clean(err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err below
	for rows.Next() {
		if err := scan(cleanRow{rows, q}); err != nil {
			return err
		}
	}
	return q.clean(rows.Err())
}

// cleanRow hides the driver's errors of Scan.
type cleanRow struct {
	rows *sql.Rows
	q    Querier
}

func (r cleanRow) Scan(dest ...any) error { return r.q.clean(r.rows.Scan(dest...)) }

// Scalar scans a row of a single column.
func Scalar[T any](row Row) (T, error) {
	var v T
	err := row.Scan(&v)
	return v, err
}
