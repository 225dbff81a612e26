package edge

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"pbx.dev/dialtone/registrar/wire"
)

// messagesOf are what a framer makes of a stream that arrives in pieces: messages,
// pings, and how it ends.
func messagesOf(stream []byte, piece int) (out []string) {
	var f framer
	var m wire.Message
	for {
		if pings := f.skip(); pings > 0 {
			out = append(out, fmt.Sprint(pings, " pings"))
		}
		ok, fault, err := false, wire.Fault{}, error(nil)
		if f.partial() {
			ok, fault, err = f.next(&m)
		}
		switch {
		case err != nil:
			return append(out, fmt.Sprint(fault.Code, " ", err))
		case ok:
			out = append(out, string(m.Bytes()))
			f.done()
			continue
		case len(stream) == 0:
			return append(out, fmt.Sprint("rest ", f.partial()))
		}
		n := copy(f.space(), stream[:min(piece, len(stream))])
		stream = stream[n:]
		f.fill(n)
		if len(f.buf) > 2*maxMessage {
			panic("unbounded")
		}
	}
}

// squeezed joins neighbouring pings: how many come at once depends on the pieces.
func squeezed(events []string) (out []string) {
	pings := 0
	for _, e := range events {
		var n int
		if _, err := fmt.Sscanf(e, "%d pings", &n); err == nil && !bytes.ContainsAny([]byte(e), "\r\n") {
			pings += n
			continue
		}
		if pings > 0 {
			out = append(out, fmt.Sprint(pings, " pings"))
		}
		pings = 0
		out = append(out, e)
	}
	return out
}

// FuzzStream: whatever comes over a stream, in whatever pieces, is the same
// messages, and never more than one and its successor in memory.
func FuzzStream(f *testing.F) {
	register := "REGISTER sip:pbx.dev SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n"
	f.Add([]byte(register + "\r\n\r\n" + register))
	f.Add([]byte("MESSAGE sip:a SIP/2.0\r\nl: 4\r\n\r\nbody" + register))
	f.Add([]byte("INVITE sip:a SIP/2.0\r\nContent-Length: 4294967295\r\n\r\n"))
	f.Add([]byte("INVITE sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n"))
	f.Add([]byte("\r\n\r\r\n\r\n\r\n" + register))
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole := squeezed(messagesOf(bytes.Clone(stream), 1<<20))
		for _, piece := range []int{1, 3, 1000} {
			if got := squeezed(messagesOf(bytes.Clone(stream), piece)); fmt.Sprint(got) != fmt.Sprint(whole) {
				t.Fatalf("in pieces of %d: %q, at once: %q", piece, got, whole)
			}
		}
	})
}

// FuzzDatagram: whatever comes in a datagram is told apart without a panic, and a
// STUN answer is never longer than four times what was asked.
func FuzzDatagram(f *testing.F) {
	f.Add([]byte("\r\n\r\n"))
	f.Add([]byte("jaK"))
	f.Add([]byte("\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"))
	f.Add([]byte("OPTIONS sip:a SIP/2.0\r\n\r\n"))
	from := netip.MustParseAddrPort("[2001:db8::1]:5060")
	f.Fuzz(func(t *testing.T, b []byte) {
		if classify(b) != kindSTUN {
			return
		}
		if answer, ok := appendSTUN(nil, b, from); ok && len(answer) > 4*len(b) {
			t.Fatalf("%d bytes answered with %d", len(b), len(answer))
		}
	})
}
