package e2e

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// rawPhone sends SIP over one UDP socket exactly as the test writes it, for what
// no real phone can be made to do.
type rawPhone struct {
	t    testing.TB
	conn net.Conn
	cseq int
}

func newRawPhone(t testing.TB, target string) *rawPhone {
	t.Helper()
	return dialPhone(t, "udp", target)
}

func dialPhone(t testing.TB, network, target string) *rawPhone {
	t.Helper()
	conn, err := net.Dial(network, target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &rawPhone{t: t, conn: conn}
}

// roundTrip sends msg and returns the first answer, "" when none comes in time.
func (p *rawPhone) roundTrip(msg string, within time.Duration) string {
	p.t.Helper()
	if _, err := p.conn.Write([]byte(msg)); err != nil {
		return ""
	}
	buf := make([]byte, 65535)
	p.conn.SetReadDeadline(time.Now().Add(within))
	n, err := p.conn.Read(buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// register sends one REGISTER with a contact named contact and returns the final
// answer; a challenge is answered with user and password.
func (p *rawPhone) register(number, user, password, contact string, expires int) string {
	p.t.Helper()
	authorization, answer := "", ""
	for range 2 {
		p.cseq++
		msg := fmt.Sprintf("REGISTER sip:pbx.dev SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d;rport\r\nMax-Forwards: 70\r\n"+
			"From: <sip:%s@pbx.dev>;tag=1\r\nTo: <sip:%s@pbx.dev>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\n"+
			"Contact: <sip:%s@%s>;expires=%d\r\n%sContent-Length: 0\r\n\r\n",
			p.conn.LocalAddr(), contact, p.cseq, number, number, contact, p.cseq, contact, p.conn.LocalAddr(), expires, authorization)
		answer = p.roundTrip(msg, 3*time.Second)
		if !strings.HasPrefix(answer, "SIP/2.0 401 ") {
			return answer
		}
		_, rest, ok := strings.Cut(answer, `nonce="`)
		if !ok {
			p.t.Fatalf("401 without a nonce:\n%s", answer)
		}
		nonce, _, _ := strings.Cut(rest, `"`)
		response := hash(hash(user+":pbx.dev:"+password) + ":" + nonce + ":00000001:c:auth:" + hash("REGISTER:sip:pbx.dev"))
		authorization = fmt.Sprintf("Authorization: Digest username=\"%s\", realm=\"pbx.dev\", nonce=\"%s\", uri=\"sip:pbx.dev\", response=\"%s\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"\r\n",
			user, nonce, response)
	}
	return answer
}

func hash(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
