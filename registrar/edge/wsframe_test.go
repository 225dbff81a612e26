package edge

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// events are what a wsReader makes of a stream that arrives in pieces.
func events(stream []byte, piece int) (out []string) {
	w := &wsReader{}
	for {
		op, payload, err := w.next()
		var status wsError
		switch {
		case errors.As(err, &status):
			return append(out, fmt.Sprint(int(status)))
		case op != opContinuation:
			out = append(out, fmt.Sprintf("%x %q", op, payload))
			continue
		case len(stream) == 0:
			return append(out, fmt.Sprint(w.partial()))
		}
		n := copy(w.space(), stream[:min(piece, len(stream))])
		stream = stream[n:]
		w.fill(n)
		if len(w.msg) > maxMessage || len(w.control) > maxControl {
			panic("unbounded")
		}
	}
}

// FuzzWebSocketFrames: whatever comes, in whatever pieces, is the same events,
// and never more than one message in memory.
func FuzzWebSocketFrames(f *testing.F) {
	f.Add(masked(0x81, "REGISTER sip:pbx.dev SIP/2.0\r\n\r\n"))
	f.Add(append(append(masked(0x01, "a"), masked(0x89, "ping")...), masked(0x80, "b")...))
	f.Add(masked(0x82, string(make([]byte, 70_000)))[:200])
	f.Add(masked(0x88, "\x03\xe8"))
	f.Add([]byte{0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole := events(bytes.Clone(stream), len(stream)+1)
		for _, piece := range []int{1, 3, 1000} {
			if got := events(bytes.Clone(stream), piece); fmt.Sprint(got) != fmt.Sprint(whole) {
				t.Fatalf("in pieces of %d: %q, at once: %q", piece, got, whole)
			}
		}
	})
}

// FuzzUpgrade: every request is answered in HTTP, and only good ones with 101.
func FuzzUpgrade(f *testing.F) {
	f.Add([]byte(upgradeRequest))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Add([]byte("\r\n\r\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		answer, err := acceptUpgrade(head, nil)
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 ")) || bytes.HasPrefix(answer, []byte("HTTP/1.1 101 ")) != (err == nil) {
			t.Fatalf("%q answered %q, %v", head, answer, err)
		}
	})
}
