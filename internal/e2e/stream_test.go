package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// secureLoopback turns on the transports that loopback leaves off.
var secureLoopback = []string{"--sip.tls", "127.0.0.1:0", "--sip.ws", "127.0.0.1:0", "--sip.wss", "127.0.0.1:0"}

// trust is a client configuration that trusts the daemon's own authority only.
func (d *daemon) trust() *tls.Config {
	d.t.Helper()
	pem, err := os.ReadFile(filepath.Join(d.dir, "tls", "ca.pem"))
	if err != nil {
		d.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		d.t.Fatal("ca.pem holds no certificate")
	}
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
}

// streamPhone speaks SIP over one connection of any transport but UDP.
type streamPhone struct {
	t         testing.TB
	transport string
	conn      net.Conn
	in        *bufio.Reader
	cseq      int
}

// connect opens a connection, with TLS and the WebSocket upgrade where they belong.
func (d *daemon) connect(transport string) *streamPhone {
	d.t.Helper()
	conn, err := net.Dial("tcp", d.addr["sip."+transport])
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if transport == "tls" || transport == "wss" {
		secure := tls.Client(conn, d.trust())
		if err := secure.Handshake(); err != nil {
			d.t.Fatal(err)
		}
		conn = secure
	}
	p := &streamPhone{t: d.t, transport: transport, conn: conn, in: bufio.NewReader(conn)}
	if p.websocket() {
		p.upgrade()
	}
	return p
}

func (p *streamPhone) websocket() bool { return strings.HasPrefix(p.transport, "ws") }

func (p *streamPhone) upgrade() {
	p.t.Helper()
	fmt.Fprint(p.conn, "GET / HTTP/1.1\r\nHost: x\r\nOrigin: https://phone.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n")
	res, err := http.ReadResponse(p.in, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		p.t.Fatalf("upgrade: %s", res.Status)
	}
}

// send sends one message; over a WebSocket as one masked text frame.
func (p *streamPhone) send(msg string) {
	p.t.Helper()
	out := []byte(msg)
	if p.websocket() {
		out = []byte{0x81, 0x80 | 126, byte(len(msg) >> 8), byte(len(msg)), 1, 2, 3, 4}
		for i := range len(msg) {
			out = append(out, msg[i]^byte(i%4+1))
		}
	}
	if _, err := p.conn.Write(out); err != nil {
		p.t.Fatal(err)
	}
}

// next returns the next message.
func (p *streamPhone) next() string {
	p.t.Helper()
	if p.websocket() {
		return p.frame()
	}
	head := ""
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := p.in.ReadString('\n')
		if err != nil {
			p.t.Fatalf("%s: %v after %q", p.transport, err, head)
		}
		head += line
	}
	n, _ := strconv.Atoi(field(head, "Content-Length"))
	body := make([]byte, n)
	if _, err := io.ReadFull(p.in, body); err != nil {
		p.t.Fatal(err)
	}
	return head + string(body)
}

func (p *streamPhone) frame() string {
	p.t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(p.in, head[:2]); err != nil {
		p.t.Fatalf("%s: %v", p.transport, err)
	}
	n := int(head[1])
	if n == 126 {
		if _, err := io.ReadFull(p.in, head[2:]); err != nil {
			p.t.Fatal(err)
		}
		n = int(head[2])<<8 | int(head[3])
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(p.in, body); err != nil || head[0] != 0x81 {
		p.t.Fatalf("frame %x: %v", head, err)
	}
	return string(body)
}

// await returns the next message that begins with prefix.
func (p *streamPhone) await(prefix string) string {
	p.t.Helper()
	for {
		if msg := p.next(); strings.HasPrefix(msg, prefix) {
			return msg
		}
	}
}

// field returns the first value of a header.
func field(msg, name string) string {
	m := regexp.MustCompile(`(?im)^` + name + `: *(.*?)\r$`).FindStringSubmatch(msg)
	if m == nil {
		return ""
	}
	return m[1]
}

// register registers a contact that can be reached over this connection only, as
// a browser does (RFC 7118 section 5), and returns the answer.
func (p *streamPhone) register(c credentials, contact string) string {
	p.t.Helper()
	authorization := ""
	for {
		p.cseq++
		p.send(fmt.Sprintf("REGISTER sip:pbx.dev SIP/2.0\r\nVia: SIP/2.0/%s %s.invalid;branch=z9hG4bK%s%d\r\nMax-Forwards: 70\r\n"+
			"From: <sip:%s@pbx.dev>;tag=1\r\nTo: <sip:%s@pbx.dev>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\n"+
			"Contact: <sip:%s@%s.invalid;transport=%s>;expires=600\r\n%sContent-Length: 0\r\n\r\n",
			strings.ToUpper(p.transport), contact, contact, p.cseq, c.Number, c.Number, contact, p.cseq, contact, contact,
			strings.TrimSuffix(p.transport, "s"), authorization))
		answer := p.await("SIP/2.0")
		_, rest, challenged := strings.Cut(answer, `nonce="`)
		if !challenged || authorization != "" {
			return answer
		}
		nonce, _, _ := strings.Cut(rest, `"`)
		response := hash(hash(c.SIPUsername+":pbx.dev:"+c.SIPPassword) + ":" + nonce + ":00000001:c:auth:" + hash("REGISTER:sip:pbx.dev"))
		authorization = fmt.Sprintf("Authorization: Digest username=\"%s\", realm=\"pbx.dev\", nonce=\"%s\", uri=\"sip:pbx.dev\", response=\"%s\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"\r\n",
			c.SIPUsername, nonce, response)
	}
}

// answer responds to a request without a body.
func (p *streamPhone) answer(request, status string) {
	p.t.Helper()
	res := "SIP/2.0 " + status + "\r\n"
	for line := range strings.SplitSeq(request, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "via", "from", "call-id", "cseq", "record-route":
			res += line + "\r\n"
		case "to":
			res += line + ";tag=callee\r\n"
		}
	}
	p.send(res + "Contact: <sip:phone@callee.invalid;transport=ws>\r\nContent-Length: 0\r\n\r\n")
}
