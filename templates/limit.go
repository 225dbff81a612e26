package templates

import (
	"errors"
	"io"
)

// The most that rendering one file may take.
const (
	maxBytes  = 1 << 20
	maxWrites = 200_000 // one per text and action; loops count even without output
)

var errTooBig = errors.New("the file would be larger than 1 MB or take too many steps")

// limitWriter stops the template that writes too much or too often.
type limitWriter struct {
	w      io.Writer
	bytes  int
	writes int
}

func (l *limitWriter) Write(b []byte) (int, error) {
	l.bytes += len(b)
	l.writes++
	if l.bytes > maxBytes || l.writes > maxWrites {
		return 0, errTooBig
	}
	return l.w.Write(b)
}
