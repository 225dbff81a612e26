package edge

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

func TestTLS(t *testing.T) {
	t.Parallel()
	r, gone := newRest(), make(chan Flow, 1)
	w := startSecure(t, Options{Handler: &echo{}, Rest: r, Closed: func(f Flow) { gone <- f }})
	c := w.connect(t, "tls")
	send(t, c, request("REGISTER", "trusted", 1)+"\r\n\r\n")
	answers := ""
	for len(answers) == 0 || answers[len(answers)-6:] != "\r\n\r\n\r\n" { // the answer and the pong
		answers += read(t, c)
	}
	expect(t, answers, "SIP/2.0 200")
	v := receive(t, r.conns)
	if v.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("remote address %s", v.RemoteAddr())
	}
	send(t, v, request("INVITE", "101", 1))
	expect(t, read(t, c), "INVITE")
	if err := c.(*tls.Conn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the end of the connection is %v, want a close_notify", err)
	}
	if f := receive(t, gone); f.Transport != "tls" {
		t.Errorf("closed %+v", f)
	}
}

func TestTLSFailures(t *testing.T) {
	t.Parallel()
	failed := make(chan Failure, 10)
	w := startSecure(t, Options{Handler: &echo{}, Failed: func(f Failure) { failed <- f }})
	handshake := func(config *tls.Config) func(net.Conn) {
		return func(c net.Conn) { _ = tls.Client(c, config).Handshake() }
	}
	for name, c := range map[string]struct {
		do     func(net.Conn)
		reason string
	}{
		"plain sip":         {func(c net.Conn) { send(t, c, request("REGISTER", "101", 1)) }, FailedNotTLS},
		"old version":       {handshake(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}), FailedVersion},
		"unknown authority": {handshake(&tls.Config{ServerName: "127.0.0.1"}), FailedCertificate},
		"the same with 1.2": {handshake(&tls.Config{ServerName: "127.0.0.1", MaxVersion: tls.VersionTLS12}), FailedCertificate},
		"no common cipher": {handshake(&tls.Config{
			InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		}), FailedCipher},
		"leaves": {func(c net.Conn) { c.Close() }, FailedClosed},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, "tcp", w.addr["tls"])
			c.do(conn)
			if f := receive(t, failed); f.Reason != c.reason || f.Transport != "tls" {
				t.Errorf("reported %+v (%v), want %s", f, f.Err, c.reason)
			}
		})
	}
}

// When there are too many handshakes the slowest gives way, but not to a storm.
func TestHandshakesAreBounded(t *testing.T) {
	t.Parallel()
	h := handshakes{max: 2, pending: map[*conn]struct{}{}}
	at := time.Now()
	pending := func(after time.Duration) *conn {
		near, far := net.Pipe()
		t.Cleanup(func() { near.Close(); far.Close() })
		return &conn{real: near, opened: at.Add(after)}
	}
	first, second := pending(0), pending(fairTime/2)
	if !h.begin(first) || !h.begin(second) {
		t.Fatal("refused with room")
	}
	if h.begin(pending(fairTime - 1)) {
		t.Error("one that is young had to give way")
	}
	third := pending(fairTime)
	if !h.begin(third) || h.end(first) || !first.closed {
		t.Error("the oldest did not give way")
	}
	if !h.end(second) || !h.end(third) || len(h.pending) != 0 {
		t.Error("not all is forgotten")
	}
}

func TestListenerNeedsItsTLS(t *testing.T) {
	t.Parallel()
	for _, l := range []Listener{{Transport: "wss"}, {Transport: "ws", TLS: &tls.Config{}}} {
		s, err := New(Options{Handler: &echo{}})
		if err != nil {
			t.Fatal(err)
		}
		if l.Stream, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if err := s.Serve(t.Context(), []Listener{l}); err == nil {
			t.Errorf("%s was served", l.Transport)
		}
	}
}
