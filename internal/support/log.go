package support

import (
	"io"
	"sync"
)

// Log keeps the newest lines that were written, for a bundle. It is an io.Writer of
// whole lines, as package slog writes them. The zero value keeps nothing.
type Log struct {
	mu    sync.Mutex
	lines [][]byte // a ring; the oldest is at next when it is full
	next  int
	bytes int
	most  int // bytes
}

// NewLog keeps up to lines lines, and of them as many as have bytes bytes together.
func NewLog(lines, bytes int) *Log { return &Log{lines: make([][]byte, 0, lines), most: bytes} }

// Write implements io.Writer. It never fails.
func (l *Log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := append([]byte(nil), line[:min(len(line), l.most/16)]...)
	switch {
	case cap(l.lines) == 0:
		return len(line), nil
	case len(l.lines) < cap(l.lines):
		l.lines = append(l.lines, kept)
	default:
		l.bytes -= len(l.lines[l.next])
		l.lines[l.next] = kept
		l.next = (l.next + 1) % len(l.lines)
	}
	l.bytes += len(kept)
	for i := 0; l.bytes > l.most && i < len(l.lines); i++ { // the oldest give way
		at := (l.next + i) % len(l.lines)
		l.bytes -= len(l.lines[at])
		l.lines[at] = nil
	}
	return len(line), nil
}

// WriteTo writes what is kept, oldest first.
func (l *Log) WriteTo(w io.Writer) (n int64, err error) {
	l.mu.Lock()
	kept := make([][]byte, 0, len(l.lines))
	for i := range l.lines {
		kept = append(kept, l.lines[(l.next+i)%len(l.lines)]) // never changed, only replaced
	}
	l.mu.Unlock()
	for _, line := range kept {
		one, err := w.Write(line)
		n += int64(one)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
