package simphone

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

const mac = "001565aabb01"

var files = map[string]string{
	"/yealink/y000000000000.boot":      "#!version:1.0.0.1\ninclude:config \"y000000000066.cfg\"\ninclude:config \"$MAC.cfg\"\n",
	"/yealink/y000000000066.cfg":       "#!version:1.0.0.1\naccount.1.label = common\n",
	"/yealink/001565aabb01.cfg":        "#!version:1.0.0.1\r\naccount.1.enable = 1\r\naccount.1.user_name = 101\r\naccount.1.auth_name = 101_x\r\naccount.1.password = a=b\r\naccount.1.display_name = Front Desk\r\naccount.1.sip_server.1.address = SERVER\r\naccount.1.sip_server.1.port = PORT\r\naccount.1.sip_server.1.transport_type = 0\r\n",
	"/polycom/000000000000.cfg":        `<APPLICATION CONFIG_FILES="[PHONE_MAC_ADDRESS]-d.cfg, common.cfg"/>`,
	"/polycom/001565aabb01-d.cfg":      `<c><r reg.1.address="101" reg.1.displayName="R&amp;D &lt;Desk&gt;" reg.1.server.1.address="SERVER" reg.1.server.1.port="PORT" reg.1.auth.userId="101_x" reg.1.auth.password="a=b"/></c>`,
	"/polycom/common.cfg":              `<c reg.1.address="999" reg.1.server.1.transport="UDPOnly"/>`,
	"/grandstream/cfg001565aabb01.xml": `<gs_provision version="1"><mac>001565AABB01</mac><config><P271>1</P271><P47>SERVER:PORT</P47><P35>101</P35><P36>101_x</P36><P34>a=b</P34><P3>A &amp; B</P3><P130>0</P130><P32>60</P32></config></gs_provision>`,
	"/wrong/cfg.xml":                   `<gs_provision version="1"><mac>000b82000001</mac></gs_provision>`,
}

// registrar is a registrar of forty lines: it challenges, checks the digest by
// RFC 7616 with code of its own kind, and grants what is asked.
type registrar struct {
	conn net.PacketConn
	mu   sync.Mutex
	seen []string // "REGISTER 101 expires"
	from net.Addr
}

func startRegistrar(t *testing.T) *registrar {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &registrar{conn: conn}
	t.Cleanup(func() { conn.Close() })
	go r.serve()
	return r
}

func (r *registrar) serve() {
	buf := make([]byte, 65535)
	for {
		n, from, err := r.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		msg, err := sip.NewParser().ParseSIP([]byte(string(buf[:n])))
		req, ok := msg.(*sip.Request)
		if err != nil || !ok {
			continue
		}
		req.SetSource(from.String())
		res := sip.NewResponseFromRequest(req, 401, "Unauthorized", nil)
		auth := req.GetHeader("Authorization")
		if auth == nil {
			res.AppendHeader(sip.NewHeader("WWW-Authenticate", `Digest realm="pbx.dev", nonce="n1", algorithm=AKAv1-MD5`))
			res.AppendHeader(sip.NewHeader("WWW-Authenticate", `Digest realm="pbx.dev", nonce="n2", qop="auth", algorithm=SHA-256`))
		} else if strings.Contains(auth.Value(), `username="101_x"`) && strings.Contains(auth.Value(), `nonce="n2"`) {
			res = sip.NewResponseFromRequest(req, 200, "OK", nil)
			res.AppendHeader(sip.NewHeader("Contact", req.GetHeader("Contact").Value()))
			r.mu.Lock()
			_, expires, _ := strings.Cut(req.GetHeader("Contact").Value(), "expires=")
			r.seen = append(r.seen, req.To().Address.User+" "+expires)
			r.from = from
			r.mu.Unlock()
		}
		r.conn.WriteTo([]byte(res.String()), from)
	}
}

func serveFiles(t *testing.T, sipAddr string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(sipAddr)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, strings.NewReplacer("SERVER", host, "PORT", port).Replace(body))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// log collects the steps and calls back when one contains the text waited for.
type log struct {
	mu    sync.Mutex
	text  bytes.Buffer
	until string
	done  context.CancelFunc
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	if strings.Contains(l.text.String(), l.until) {
		l.done()
	}
	return len(b), nil
}

func TestBootAndRegister(t *testing.T) {
	t.Parallel()
	for _, v := range phone.Vendors() {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			reg := startRegistrar(t)
			m, _ := phone.ParseMAC(mac)
			ctx, cancel := context.WithCancel(t.Context())
			out := &log{until: "200, expires", done: cancel}
			p, err := New(Options{Vendor: v, MAC: m, Server: serveFiles(t, reg.conn.LocalAddr().String()) + "/" + string(v), Out: out})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Run(ctx); err != nil {
				t.Fatalf("%v\n%s", err, out.text.String())
			}
			reg.mu.Lock()
			defer reg.mu.Unlock()
			if diff := cmp.Diff([]string{"101 3600", "101 0"}, reg.seen); diff != "" {
				t.Errorf("%s\n%s", diff, out.text.String())
			}
		})
	}
}

func TestForeignFileIsRefused(t *testing.T) {
	t.Parallel()
	m, _ := phone.ParseMAC(mac)
	p, err := New(Options{Vendor: phone.Grandstream, MAC: m, Server: serveFiles(t, "127.0.0.1:1") + "/wrong/"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the file is for 000b82000001") {
		t.Errorf("got %v", err)
	}
}

func TestNothingThere(t *testing.T) {
	t.Parallel()
	for _, v := range phone.Vendors() {
		m, _ := phone.ParseMAC(mac)
		p, err := New(Options{Vendor: v, MAC: m, Server: serveFiles(t, "127.0.0.1:1") + "/nothing"})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the server has none of") {
			t.Errorf("%s: got %v", v, err)
		}
	}
}

func TestDoubleAttributeIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := xmlAttributes([]byte(`<a x="1" x="2"/>`)); err == nil {
		t.Error("no error")
	}
}

// RFC 2617 3.5.
func TestDigestExample(t *testing.T) {
	t.Parallel()
	c, ok := parseChallenge(`Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`)
	if !ok || c.qop != "auth" || c.algorithm != "MD5" || c.opaque != "5ccc069c403ebaf9f0171e9517f40e41" {
		t.Fatalf("%+v", c)
	}
	got := c.response("GET", "/dir/index.html", "Mufasa", "Circle Of Life", "00000001", "0a4f113b")
	if want := "6629fae49393a05397450978507c4ef1"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestStreamReader(t *testing.T) {
	t.Parallel()
	in := "\r\n\r\nOPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabcSIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
	read := streamReader(strings.NewReader(in))
	for _, want := range []string{"OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc", "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"} {
		got, err := read()
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v", got, err)
		}
	}
}
