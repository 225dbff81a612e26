package registrar

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"testing"
)

// BenchmarkRegister is a REGISTER, its 401, the REGISTER with credentials and its
// 200, over UDP on loopback: the phone's side, which allocates nothing, included.
func BenchmarkRegister(b *testing.B) {
	w := start(b, nil)
	conn, err := net.Dial("udp", w.udp)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	p := &benchPhone{conn: conn, ha1: md5Hex([]byte("101_a1b2c3:pbx.dev:pw-101_a1b2c3")), ha2: md5Hex([]byte("REGISTER:sip:pbx.dev"))}
	p.head = fmt.Appendf(nil, "REGISTER sip:pbx.dev SIP/2.0\r\nVia: SIP/2.0/UDP %[1]s;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"+
		"From: <sip:101@pbx.dev>;tag=1\r\nTo: <sip:101@pbx.dev>\r\nCall-ID: bench@%[1]s\r\nContact: <sip:101@%[1]s>\r\n"+
		"User-Agent: Yealink SIP-T46S 66.86.0.15\r\nExpires: 3600\r\nContent-Length: 0\r\n", conn.LocalAddr())
	b.ReportAllocs()
	for b.Loop() {
		if answer := p.exchange(nil); !bytes.HasPrefix(answer, []byte("SIP/2.0 401")) {
			b.Fatalf("%s", answer)
		}
		_, rest, _ := bytes.Cut(p.in[:], []byte(`nonce="`))
		nonce, _, _ := bytes.Cut(rest, []byte(`"`))
		if answer := p.exchange(p.authorize(nonce)); !bytes.HasPrefix(answer, []byte("SIP/2.0 200")) {
			b.Fatalf("%s", answer)
		}
	}
}

type benchPhone struct {
	conn           net.Conn
	head, out      []byte
	credentials    []byte
	scratch        []byte
	in             [4096]byte
	ha1, ha2, sums [32]byte
	cseq           int64
}

func (p *benchPhone) exchange(authorization []byte) []byte {
	p.cseq++
	p.out = append(append(p.out[:0], p.head...), "CSeq: "...)
	p.out = strconv.AppendInt(p.out, p.cseq, 10)
	p.out = append(append(append(p.out, " REGISTER\r\n"...), authorization...), "\r\n"...)
	if _, err := p.conn.Write(p.out); err != nil {
		panic(err)
	}
	n, err := p.conn.Read(p.in[:])
	if err != nil {
		panic(err)
	}
	return p.in[:n]
}

func (p *benchPhone) authorize(nonce []byte) []byte {
	p.scratch = append(append(p.scratch[:0], p.ha1[:]...), ':')
	p.scratch = append(append(append(p.scratch, nonce...), ":00000001:cn:auth:"...), p.ha2[:]...)
	p.sums = md5Hex(p.scratch)
	p.credentials = append(p.credentials[:0], `Authorization: Digest username="101_a1b2c3", realm="pbx.dev", uri="sip:pbx.dev", algorithm=MD5, qop=auth, nc=00000001, cnonce="cn", nonce="`...)
	p.credentials = append(append(p.credentials, nonce...), `", response="`...)
	return append(append(p.credentials, p.sums[:]...), "\"\r\n"...)
}

func md5Hex(b []byte) (out [32]byte) {
	sum := md5.Sum(b)
	hex.Encode(out[:], sum[:])
	return out
}
