package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/testkit"
	"pbx.dev/dialtone/provision"
)

func credentials(mac phone.MAC) (string, phone.Secret) {
	return mac.Hex(), phone.NewSecret("password-of-" + mac.Hex())
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func guarded(t *testing.T, scheme Scheme, c *clock, denied func(phone.Event)) *site {
	return start(t, func(po *provision.Options, o *Options) {
		po.LAN, po.Secrets = nil, provision.AssureToken // nothing else opens a file
		po.Credentials = credentials
		o.Auth = Auth{Scheme: scheme, Credentials: credentials, Key: make([]byte, 32), Denied: denied}
		if c != nil {
			o.Auth.Now = c.now
		}
	})
}

func (s *site) curl(t *testing.T, args ...string) string {
	t.Helper()
	full := append([]string{"-sS", "--path-as-is", "--max-time", "20", "-w", "%{http_code}"}, args...)
	out, err := exec.CommandContext(t.Context(), testkit.Need(t, "curl"), full...).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %v: %v: %s", args, err, out)
	}
	return string(out)
}

// curl proves who it is by either scheme, and gets this phone's files and no other's.
func TestCurlWithCredentials(t *testing.T) {
	t.Parallel()
	for _, scheme := range []Scheme{AuthBasic, AuthDigest} {
		s := guarded(t, scheme, nil, nil)
		user := "805ec0aabbcc:password-of-805ec0aabbcc"
		for _, tt := range []struct{ user, path, want string }{
			{user, "/805ec0aabbcc.cfg", "static.auto_provision.server.password = password-of-805ec0aabbcc"},
			{user, "/805EC0AABBCC.boot", "200"},
			{user, "//805ec0aabbcc.cfg?x=y", "account.1.password = line-secret"},
			{user, "/0004f2abcdef.cfg", "404"}, // right, and another's
			{user, "/y000000000000.cfg", "200"},
			{"805ec0aabbcc:wrong", "/805ec0aabbcc.cfg", "401"},
			{"805EC0AABBCC:password-of-805ec0aabbcc", "/805ec0aabbcc.cfg", "401"},
			{"admin:password-of-000000000000", "/805ec0aabbcc.cfg", "401"},
			{"000000000000:password-of-000000000000", "/805ec0aabbcc.cfg", "401"},
			{"805ec0000001:wrong", "/805ec0000001.cfg", "401"},
		} {
			if got := s.curl(t, "--"+string(scheme), "-u", tt.user, s.URL+tt.path); !strings.Contains(got, tt.want) {
				t.Errorf("%s as %s %s: %q, want %q", scheme, tt.user, tt.path, got, tt.want)
			}
		}
		other := map[Scheme]string{AuthBasic: "--digest", AuthDigest: "--basic"}[scheme]
		if got := s.curl(t, other, "-u", user, s.URL+"/805ec0aabbcc.cfg"); !strings.HasSuffix(got, "401") {
			t.Errorf("the other scheme than %s: %q", scheme, got)
		}
	}
}

// A phone that nobody knows is asked with the same bytes as one that exists; files of
// no single phone, and tokens, are not asked about.
func TestChallengesAreTheSame(t *testing.T) {
	t.Parallel()
	s := guarded(t, AuthBasic, nil, nil)
	request := func(path string) string {
		return s.raw(t, "GET "+path+" HTTP/1.1\r\nHost: phones\r\nConnection: close\r\n\r\n")
	}
	want := request("/805ec0aabbcc.cfg")
	if !strings.HasPrefix(want, "HTTP/1.1 401 ") || !strings.Contains(want, `Basic realm="dialtone"`) || !strings.Contains(want, "Content-Length: 17\r\n") {
		t.Errorf("challenge is %q", want)
	}
	for _, path := range []string{"/805ec0000001.cfg", "/0004f2abcdef.cfg", "/cfg000b82123456.xml", "/cfg000b82ffffff.xml", "/0004f2abcdef-app.log"} {
		if diff := cmp.Diff(want, request(path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for path, status := range map[string]string{
		"/y000000000000.cfg": "200", "/sip.ld": "200", "/nothing": "404", "/p/token/805ec0aabbcc.cfg": "404",
	} {
		if got := request(path); !strings.HasPrefix(got, "HTTP/1.1 "+status) || strings.Contains(got, "WWW-") {
			t.Errorf("%s: %q", path, got)
		}
	}
}

// speak asks with a digest made by hand.
type speak struct {
	method, path, uri, algorithm, nc, cnonce, user, password, realm string
	plain                                                           bool // as RFC 2069 has it
}

func (s *site) digest(t *testing.T, nonce string, p speak) *http.Response {
	t.Helper()
	d := digest{
		username: p.user, uri: p.uri, nonce: nonce, algorithm: p.algorithm, ncText: p.nc, cnonce: p.cnonce, qop: "auth", nc: 1,
	}
	if p.plain {
		d.nc = 0
	}
	header := fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s`,
		d.username, p.realm, nonce, d.uri, d.answer(p.method, p.password), d.algorithm)
	if !p.plain {
		header += fmt.Sprintf(`, qop=auth, nc=%s, cnonce="%s"`, d.ncText, d.cnonce)
	}
	res, _ := s.do(t, p.method, p.path, "Authorization", header)
	return res
}

func nonceOf(t *testing.T, res *http.Response) string {
	t.Helper()
	_, after, ok := strings.Cut(res.Header.Get("WWW-Authenticate"), `nonce="`)
	nonce, _, _ := strings.Cut(after, `"`)
	if res.StatusCode != 401 || !ok || len(res.Header.Values("WWW-Authenticate")) != 2 {
		t.Fatalf("challenge is %s, %v", res.Status, res.Header)
	}
	return nonce
}

func TestDigest(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Unix(1_800_000_000, 0)}
	var mu sync.Mutex
	var denied []phone.Event
	s := guarded(t, AuthDigest, c, func(e phone.Event) { mu.Lock(); denied = append(denied, e); mu.Unlock() })
	const path = "/805ec0aabbcc.cfg"
	good := speak{
		method: "GET", path: path, uri: path, algorithm: "MD5", nc: "00000001", cnonce: "c", user: "805ec0aabbcc",
		password: "password-of-805ec0aabbcc", realm: realm,
	}
	res, _ := s.do(t, "GET", path)
	nonce := nonceOf(t, res)
	for name, tt := range map[string]struct {
		change func(*speak)
		status int
	}{
		"another path":          {func(p *speak) { p.path = "/805ec0aabbcc.boot" }, 401},
		"another phone":         {func(p *speak) { p.path = "/805ec0000001.cfg" }, 401},
		"another spelling":      {func(p *speak) { p.path = "/805EC0AABBCC.cfg" }, 401},
		"another query":         {func(p *speak) { p.path = path + "?x" }, 401},
		"wrong password":        {func(p *speak) { p.password = "x" }, 401},
		"another's password":    {func(p *speak) { p.user = "0004f2abcdef" }, 401},
		"another realm":         {func(p *speak) { p.realm = "x" }, 401},
		"no count":              {func(p *speak) { p.nc = "00000000" }, 401},
		"unknown algorithm":     {func(p *speak) { p.algorithm = "SHA-1" }, 401},
		"the phone of the user": {func(p *speak) { p.user, p.password, p.nc = "0004f2abcdef", "password-of-0004f2abcdef", "00000009" }, 404},
	} {
		p := good
		tt.change(&p)
		if res := s.digest(t, nonce, p); res.StatusCode != tt.status {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	if res := s.digest(t, "AAAA"+nonce[4:], good); res.StatusCode != 401 {
		t.Errorf("a nonce of nobody: %s", res.Status)
	}
	steps(t, s, c, nonce, good)
	mu.Lock()
	defer mu.Unlock()
	if len(denied) < 8 || denied[0].MAC.IsZero() || denied[0].Outcome != "denied" || denied[0].Status != 401 {
		t.Errorf("%d events: %+v", len(denied), denied)
	}
}

// steps is one nonce from its first use to its end.
func steps(t *testing.T, s *site, c *clock, nonce string, good speak) {
	t.Helper()
	want := func(name string, p speak, nonce string, status int) *http.Response {
		t.Helper()
		res := s.digest(t, nonce, p)
		if res.StatusCode != status {
			t.Errorf("%s: %s", name, res.Status)
		}
		return res
	}
	p := good
	want("right", p, nonce, 200)
	want("the same again", p, nonce, 401)
	p.nc = "00000003"
	want("the third", p, nonce, 200)
	p.nc = "00000002"
	want("the second, late", p, nonce, 200)
	want("the second, again", p, nonce, 401)
	p.nc, p.algorithm = "00000004", "SHA-256"
	want("SHA-256", p, nonce, 200)
	p.nc, p.method, p.algorithm = "00000005", "HEAD", "MD5"
	want("HEAD", p, nonce, 200)
	c.add(nonceLife + time.Second)
	p.nc, p.method = "00000006", "GET"
	old := want("an old nonce", p, nonce, 401)
	if !strings.Contains(old.Header.Get("WWW-Authenticate"), "stale=true") {
		t.Errorf("challenge to an old nonce: %v", old.Header)
	}
	p.plain = true
	fresh := nonceOf(t, old)
	want("without qop", p, fresh, 200)
	want("without qop, again", p, fresh, 401)
}

// The uses of nonces are bounded; what is forgotten is not good again.
func TestNonceUsesAreBounded(t *testing.T) {
	t.Parallel()
	n := newNonces(make([]byte, 32))
	now := time.Unix(1_800_000_000, 0)
	first := n.mint(now)
	for i := range nonceUses + 10 {
		nonce := n.mint(now)
		if i == 0 {
			nonce = first
		}
		err := n.use(nonce, 1, now)
		if want := i < nonceUses; (err == nil) != want || !want && !errors.Is(err, errStale) {
			t.Fatalf("use %d gives %v", i, err)
		}
	}
	if err := n.use(first, 1, now); !errors.Is(err, errReplay) {
		t.Errorf("a nonce used before gives %v", err)
	}
	for range 3 { // generations pass: the nonce is old before its uses are forgotten
		now = now.Add(nonceLife/2 + time.Second)
		if err := n.use(first, 1, now); err == nil {
			t.Errorf("at %v a nonce is good again", now)
		}
	}
}

func FuzzParseDigest(f *testing.F) {
	f.Add(`username="a", realm="dialtone", nonce="n", uri="/x", response="0", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"`)
	f.Add(`username="a\"b", nonce=n,uri=/x,response=1`)
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := parseDigest(s)
		if ok && (d.username == "" || d.uri == "" || d.qop != "" && d.nc == 0) {
			t.Errorf("%q gives %+v", s, d)
		}
		_ = d.answer("GET", "x")
	})
}

// uploads keeps what it is given, by name in lower case.
type uploads struct {
	mu    sync.Mutex
	files map[string]string
}

func (u *uploads) Put(_ context.Context, r provision.Request, body io.Reader) error {
	switch name := strings.TrimLeft(r.Path, "/"); name {
	case "full.log":
		return phone.ErrFull
	case "large.log":
		return phone.ErrTooLarge
	case "busy.log":
		return phone.ErrBusy
	case "nothing":
		return phone.ErrNotFound
	case "broken.log":
		return errors.New("/var/lib/secret: input/output error")
	}
	b, err := io.ReadAll(body)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.files["/"+strings.ToLower(strings.TrimLeft(r.Path, "/"))] = string(b)
	return err
}

// Uploads by curl, and what is not taken.
func TestUploads(t *testing.T) {
	t.Parallel()
	up := &uploads{files: map[string]string{}}
	s := start(t, func(_ *provision.Options, o *Options) { o.Uploads = up })
	for path, want := range map[string]string{
		"/0004f2abcdef-app.log": "201", "//0004F2ABCDEF-app.log": "201", "/full.log": "507", "/large.log": "413",
		"/busy.log": "503", "/nothing": "404", "/broken.log": "500",
	} {
		cmd := exec.CommandContext(t.Context(), testkit.Need(t, "curl"), "-sS", "--path-as-is", "-w", "%{http_code}", "-o", "/dev/null", "-T", "-", s.URL+path)
		cmd.Stdin = strings.NewReader("a log")
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("%s: %v, %s, want %s", path, err, out, want)
		}
	}
	if res, _ := s.do(t, "DELETE", "/0004f2abcdef-app.log"); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD, PUT, POST" {
		t.Errorf("DELETE: %s, %v", res.Status, res.Header)
	}
	post := s.raw(t, "POST /0004f2abcdef-boot.log HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc")
	if !strings.HasPrefix(post, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n") {
		t.Errorf("POST: %q", post)
	}
	none := s.raw(t, "PUT /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n")
	if !strings.HasPrefix(none, "HTTP/1.1 404 ") {
		t.Errorf("a refused upload is answered %q", none)
	}
	up.mu.Lock()
	defer up.mu.Unlock()
	if up.files["/0004f2abcdef-app.log"] != "a log" || up.files["/0004f2abcdef-boot.log"] != "abc" {
		t.Errorf("stored: %v", up.files)
	}
}

// One source cannot take the connections of all, and one that says nothing, or a
// little at a time, loses its connection.
func TestSlowAndGreedySources(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		refuse(w, 404)
	}), nil)
	srv.ReadHeaderTimeout, srv.ReadTimeout = 100*time.Millisecond, 200*time.Millisecond
	served := make(chan error, 1)
	go func() { served <- srv.Serve(Limit(l, Limits{PerSource: 2})) }()
	defer func() {
		_ = srv.Close()
		<-served
	}()
	try := func(ip string) (net.Conn, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
		return d.DialContext(t.Context(), "tcp", l.Addr().String())
	}
	from := func(ip string) net.Conn {
		t.Helper()
		c, err := try(ip)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	gone := func(c net.Conn) bool {
		t.Helper()
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := io.ReadAll(c)
		return !errors.Is(err, os.ErrDeadlineExceeded)
	}
	header, body := from("127.0.0.2"), from("127.0.0.2")
	for c, text := range map[net.Conn]string{header: "GET / HTTP/1.1\r\nX-A: ", body: "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na"} {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	if third, err := try("127.0.0.2"); err == nil { // it may be closed before we hear that it was opened
		if !gone(third) {
			t.Error("a third connection of one source is kept")
		}
		_ = third.Close()
	}
	ask(t, from("127.0.0.3")) // others are served
	if !gone(header) || !gone(body) {
		t.Error("a slow request keeps its connection")
	}
	ask(t, from("127.0.0.2")) // and then there is room again
}

// What TLS says of a failure becomes a label and an event with advice.
func TestHandshakeFailures(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"client sent an HTTP request to an HTTPS server":                      "not-tls",
		"tls: first record does not look like a TLS handshake":                "not-tls",
		"tls: client offered only unsupported versions: [302 301]":            "version",
		"tls: no cipher suite supported by both client and server":            "cipher",
		"remote error: tls: unknown certificate authority":                    "authority",
		"remote error: tls: expired certificate":                              "clock",
		"remote error: tls: bad certificate":                                  "certificate",
		"tls: failed to verify certificate: x509: certificate signed by unk…": "client-certificate",
		"read tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout":                      "timeout",
		"EOF": "closed", "something else": "other",
	} {
		var got []phone.Event
		h := NewHandshakes(nil, nil, func(e phone.Event) { got = append(got, e) })
		h.Logger().Printf("http: TLS handshake error from [::1]:4711: %s", text)
		switch {
		case want == "closed" && len(got) == 0:
		case len(got) != 1 || got[0].Outcome != want || got[0].Source != "[::1]:4711" || got[0].Detail == "" || got[0].Kind != phone.EventConnect:
			t.Errorf("%s: %+v, want %s", text, got, want)
		}
	}
	h := NewHandshakes(nil, nil, func(phone.Event) { t.Error("an event for another line") })
	h.Logger().Print("http: Accept error: too many open files")
}

// net/http says what a Handshakes reads.
func TestHandshakeOfAnotherProtocol(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan phone.Event, 1)
	srv := NewServer(http.NotFoundHandler(), nil)
	srv.ErrorLog = NewHandshakes(nil, nil, func(e phone.Event) { told <- e }).Logger()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{{}}})) }()
	c := dial(t, l)
	if _, err := io.WriteString(c, get); err != nil {
		t.Fatal(err)
	}
	if e := <-told; e.Outcome != "not-tls" || e.Source != c.LocalAddr().String() {
		t.Errorf("event is %+v", e)
	}
	_ = srv.Close()
	<-served
}
