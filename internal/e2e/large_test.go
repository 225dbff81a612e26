package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"
)

// readMessage reads one SIP message from a connection.
func readMessage(t *testing.T, c net.Conn) (start, body string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	in := textproto.NewReader(bufio.NewReader(c))
	start, err := in.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	header, err := in.ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in.R, b); err != nil {
		t.Fatal(err)
	}
	return start, string(b)
}

// TestMessagesOf64Kilobytes: a message of nearly 64 KiB goes from phone to phone over
// connections. Over UDP it is refused and not lost, and so is a larger one over TCP.
func TestMessagesOf64Kilobytes(t *testing.T) {
	t.Parallel()
	d := serve(t)
	caller, callee := d.extension("101", "Caller"), d.extension("102", "Callee")
	from, to := dialPhone(t, "tcp", d.addr["sip.tcp"]), dialPhone(t, "tcp", d.addr["sip.tcp"])
	if got := to.register("102", callee.SIPUsername, callee.SIPPassword, "callee", 300); !strings.HasPrefix(got, "SIP/2.0 200 ") {
		t.Fatal(got)
	}
	message := func(p *rawPhone, size int, headers string) string {
		p.cseq++
		body := strings.Repeat("0123456789", size/10)
		return fmt.Sprintf("MESSAGE sip:102@pbx.dev SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bKlarge%d;rport\r\nMax-Forwards: 70\r\n"+
			"From: <sip:101@pbx.dev>;tag=1\r\nTo: <sip:102@pbx.dev>\r\nCall-ID: large%d\r\nCSeq: %d MESSAGE\r\n%sContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
			p.conn.LocalAddr(), p.cseq, size, p.cseq, headers, len(body), body)
	}
	const size = 64_000
	challenge := from.roundTrip(message(from, size, ""), 10*time.Second)
	_, rest, found := strings.Cut(challenge, `nonce="`)
	nonce, _, _ := strings.Cut(rest, `"`)
	if !strings.HasPrefix(challenge, "SIP/2.0 407 ") || !found {
		t.Fatal(challenge)
	}
	response := hash(hash(caller.SIPUsername+":pbx.dev:"+caller.SIPPassword) + ":" + nonce + ":00000001:c:auth:" + hash("MESSAGE:sip:102@pbx.dev"))
	if _, err := io.WriteString(from.conn, message(from, size, fmt.Sprintf("Proxy-Authorization: Digest username=\"%s\", realm=\"pbx.dev\", nonce=\"%s\", "+
		"uri=\"sip:102@pbx.dev\", response=\"%s\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"\r\n", caller.SIPUsername, nonce, response))); err != nil {
		t.Fatal(err)
	}
	if start, body := readMessage(t, to.conn); !strings.HasPrefix(start, "MESSAGE ") || body != strings.Repeat("0123456789", size/10) {
		t.Errorf("the callee got %q and %d bytes", start, len(body))
	}
	udp := newRawPhone(t, d.addr["sip.udp"])
	for _, size := range []int{10_000, 64_000} {
		if got := udp.roundTrip(message(udp, size, ""), 10*time.Second); !strings.HasPrefix(got, "SIP/2.0 513 ") {
			t.Errorf("%d bytes over UDP: %q", size, got)
		}
	}
	other := dialPhone(t, "tcp", d.addr["sip.tcp"])
	if got := other.roundTrip(message(other, 70_000, ""), 10*time.Second); !strings.HasPrefix(got, "SIP/2.0 513 ") {
		t.Errorf("70 000 bytes over TCP: %q", got)
	}
}
