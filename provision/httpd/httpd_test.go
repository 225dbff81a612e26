package httpd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/testkit"
	"pbx.dev/dialtone/provision"
	"pbx.dev/dialtone/templates"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type shelf map[phone.MAC]phone.Device

func (s shelf) DeviceByMAC(_ context.Context, mac phone.MAC) (phone.Device, error) {
	if mac == (phone.MAC{0x80, 0x5e, 0xc0, 0xba, 0xd0, 0x00}) {
		return phone.Device{}, errors.New("/var/lib/secret: database is locked")
	}
	if d, ok := s[mac]; ok {
		return d, nil
	}
	return phone.Device{}, phone.ErrNotFound
}

var image = bytes.Repeat([]byte("0123456789"), 100_000)

type site struct {
	*httptest.Server
	mu     sync.Mutex
	events []phone.Event
}

// start serves the three vendors' phones on a free port of the loopback.
func start(t *testing.T, change func(*provision.Options, *Options)) *site {
	t.Helper()
	s := &site{}
	inventory := shelf{}
	for mac, vendor := range map[string]phone.Vendor{
		"0004f2abcdef": phone.Polycom, "805ec0aabbcc": phone.Yealink, "000b82123456": phone.Grandstream,
	} {
		m, err := phone.ParseMAC(mac)
		if err != nil {
			t.Fatal(err)
		}
		inventory[m] = phone.Device{ID: "phone_" + mac, MAC: m, Vendor: vendor, Lines: []phone.Line{{
			Number: 1, Extension: "101", AuthUser: "101_a", Secret: phone.NewSecret("line-secret"),
		}}}
	}
	po := provision.Options{
		Inventory: inventory, Renderer: templates.Builtin(),
		Firmware: fstest.MapFS{
			"sip.ld": {Data: image, ModTime: time.Unix(1e9, 0)}, "T46U(T43U,T46U)-108.86.0.90.rom": {Data: []byte("rom")},
		},
		Recorder: func(e phone.Event) { s.mu.Lock(); s.events = append(s.events, e); s.mu.Unlock() },
		LAN:      []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Facts: func() provision.Facts {
			return provision.Facts{SIPServer: "sip.pbx.dev", SIPDomain: "pbx.dev", SIPPort: 5060, SIPTransport: "udp", NTP: "pool.ntp.org", TimeZone: "UTC"}
		},
	}
	ho := Options{Registerer: prometheus.NewRegistry()}
	if change != nil {
		change(&po, &ho)
	}
	svc, err := provision.New(po)
	if err != nil {
		t.Fatal(err)
	}
	if ho.Files == nil {
		ho.Files = svc
	}
	s.Server = httptest.NewUnstartedServer(nil)
	s.Config = NewServer(Handler(ho), nil)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// raw sends bytes and returns the answer without its date.
func (s *site) raw(t *testing.T, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "Date: ") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

func (s *site) do(t *testing.T, method, path string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = "//" + req.URL.Host + path // as it is
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// Each file with its type and length, however the phone spells the path.
func TestFiles(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for path, want := range map[string]string{
		"/0004f2abcdef.cfg":                      "text/xml",
		"//0004F2ABCDEF.cfg":                     "text/xml",
		"/00%3A04%3aF2:AB:CD:EF-dialtone.cfg":    "text/xml",
		"/000000000000.cfg?x=1":                  "text/xml",
		"/805ec0aabbcc.boot":                     "text/plain",
		"/y000000000000.boot":                    "text/plain",
		"///y000000000066.cfg":                   "text/plain",
		"/805EC0AABBCC.cfg":                      "text/plain",
		"/cfg000b82123456.xml":                   "text/xml",
		"/cfg000b82123456":                       "application/octet-stream",
		"/cfggxp2170.xml":                        "text/xml",
		"/sip.ld":                                "application/octet-stream",
		"/T46U%28T43U%2CT46U%29-108.86.0.90.rom": "application/octet-stream",
	} {
		res, body := s.do(t, "GET", path)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != want || res.ContentLength != int64(len(body)) || len(body) == 0 {
			t.Errorf("%s: %s, %q, length %d of %d", path, res.Status, res.Header["Content-Type"], res.ContentLength, len(body))
		}
		if len(res.TransferEncoding) > 0 || res.Header.Get("ETag") == "" {
			t.Errorf("%s: transfer encoding %v, header %v", path, res.TransferEncoding, res.Header)
		}
		head, none := s.do(t, "HEAD", path)
		if head.StatusCode != 200 || head.ContentLength != res.ContentLength || none != "" || head.Header.Get("ETag") != res.Header.Get("ETag") {
			t.Errorf("HEAD %s: %s, length %d, %q", path, head.Status, head.ContentLength, none)
		}
	}
}

// Nobody can tell one refusal from another.
func TestRefusalsAreTheSameBytes(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	far := start(t, func(o *provision.Options, _ *Options) { o.LAN = nil })
	request := func(path string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: phones\r\nConnection: close\r\n\r\n"
	}
	want := "HTTP/1.1 404 Not Found\r\nContent-Length: 14\r\nContent-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n404 Not Found\n"
	for _, path := range []string{
		"/0004f2000001.cfg", "/0004f2000001-dialtone.cfg", "/nothing", "/", "//", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd",
		"/p/token/0004f2abcdef.cfg", "/0004f2abcdef-web.cfg", "/cfg0004f2abcdef.xml", "/x.ld", "/a/b/c/d", "/0004f2abcdef.cfg%00",
	} {
		if diff := cmp.Diff(want, s.raw(t, request(path))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, path := range []string{"/0004f2abcdef.cfg", "/0004f2abcdef-dialtone.cfg", "/805ec0aabbcc.boot", "/cfg000b82123456.xml", "/0004f2000001.cfg"} {
		if diff := cmp.Diff(want, far.raw(t, request(path))); diff != "" {
			t.Errorf("%s from outside (-want +got):\n%s", path, diff)
		}
	}
}

func TestRangesAndConditions(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	res, body := s.do(t, "GET", "/sip.ld", "Range", "bytes=10-14")
	if res.StatusCode != 206 || body != "01234" || res.ContentLength != 5 {
		t.Errorf("range: %s, %q", res.Status, body)
	}
	if res, body = s.do(t, "GET", "/sip.ld", "Range", "bytes=99999999-"); res.StatusCode != 416 {
		t.Errorf("range behind the end: %s, %q", res.Status, body)
	}
	res, _ = s.do(t, "HEAD", "/sip.ld")
	if res, body = s.do(t, "GET", "/sip.ld", "Range", "bytes=999995-", "If-Range", res.Header.Get("ETag")); res.StatusCode != 206 || body != "56789" {
		t.Errorf("if-range: %s, %d bytes", res.Status, len(body))
	}
	if res, body = s.do(t, "GET", "/sip.ld", "Range", "bytes=999995-", "If-Range", `"another"`); res.StatusCode != 200 || len(body) != len(image) {
		t.Errorf("if-range of another file: %s, %d bytes", res.Status, len(body))
	}
	for _, path := range []string{"/sip.ld", "/805ec0aabbcc.cfg"} {
		res, _ = s.do(t, "GET", path)
		again, body := s.do(t, "GET", path, "If-None-Match", res.Header.Get("ETag"))
		if again.StatusCode != 304 || body != "" {
			t.Errorf("%s: %s, %d bytes", path, again.Status, len(body))
		}
	}
	s.Close() // the handlers have returned
	n := 0
	for _, e := range s.events {
		if e.Status == 304 {
			n++
			if e.Outcome != "ok" || e.Bytes != 0 {
				t.Errorf("event of a 304: %+v", e)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d events of a 304, want 2", n)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for _, method := range []string{"PUT", "POST", "DELETE", "OPTIONS", "PROPFIND"} {
		for _, path := range []string{"/0004f2abcdef-app.log", "/0004f2000001.cfg", "/"} {
			res, body := s.do(t, method, path)
			if res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" || body != "405 Method Not Allowed\n" {
				t.Errorf("%s %s: %s, %q", method, path, res.Status, body)
			}
		}
	}
	if got := s.raw(t, "GET /cfg.xml HTTP/1.0\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.0 200 OK\r\n") || !strings.Contains(got, "Content-Length: ") {
		t.Errorf("HTTP/1.0: %q", got)
	}
}

// What goes wrong inside stays inside.
func TestErrors(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	res, body := s.do(t, "GET", "/805ec0bad000.cfg")
	if res.StatusCode != 500 || body != "500 Internal Server Error\n" {
		t.Errorf("%s: %q", res.Status, body)
	}
	for name, tt := range map[string]struct {
		get    func() (provision.File, error)
		status int
	}{
		"invalid":     {func() (provision.File, error) { return provision.File{}, phone.Invalid("x", "is wrong") }, 400},
		"panic":       {func() (provision.File, error) { panic("boom") }, 500},
		"not found":   {func() (provision.File, error) { return provision.File{}, fmt.Errorf("x: %w", phone.ErrNotFound) }, 404},
		"broken file": {func() (provision.File, error) { return provision.File{Body: failing{}, ContentType: "text/plain"}, nil }, 500},
	} {
		s := start(t, func(_ *provision.Options, o *Options) { o.Files = getFunc(tt.get) })
		if res, body := s.do(t, "GET", "/x"); res.StatusCode != tt.status || strings.Contains(body, "secret") {
			t.Errorf("%s: %s, %q", name, res.Status, body)
		}
	}
}

type getFunc func() (provision.File, error)

func (g getFunc) Get(context.Context, provision.Request) (provision.File, error) { return g() }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("/var/lib/secret: input/output error") }

func (failing) Seek(int64, int) (int64, error) {
	return 0, errors.New("/var/lib/secret: input/output error")
}

// What the handler passes on of a request.
func TestRequest(t *testing.T) {
	t.Parallel()
	mac := phone.MAC{1, 2, 3, 4, 5, 6}
	h := &handler{guard: newGuard(Auth{}), opts: Options{ClientMAC: func(*tls.ConnectionState) (phone.MAC, bool) { return mac, true }}}
	r := httptest.NewRequestWithContext(t.Context(), "HEAD", "/a%20b.ld", nil)
	r.RemoteAddr, r.TLS = "[::ffff:192.0.2.7]:5000", nil
	r.Header.Set("User-Agent", "phone")
	r.Header.Set("X-Forwarded-For", "127.0.0.1")
	want := provision.Request{Path: "/a b.ld", Proto: "http", Method: "HEAD", UserAgent: "phone", Source: netip.MustParseAddrPort("192.0.2.7:5000")}
	if got := h.request(r); got != want {
		t.Errorf("plain: %+v", got)
	}
	r.TLS = &tls.ConnectionState{}
	want.Proto, want.ClientMAC = "https", mac
	if got := h.request(r); got != want {
		t.Errorf("TLS: %+v", got)
	}
}

func TestEventsCountBytes(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	_, body := s.do(t, "GET", "/805ec0aabbcc.cfg", "User-Agent", "Yealink SIP-T46S 66.86.0.15 80:5e:c0:aa:bb:cc")
	s.do(t, "GET", "/sip.ld")
	s.do(t, "GET", "/nothing")
	s.Close() // the handlers have returned
	events := map[string]phone.Event{}
	for _, e := range s.events {
		events[e.Path] = e
	}
	if len(s.events) != 3 {
		t.Fatalf("%d events", len(s.events))
	}
	if e := events["805ec0aabbcc.cfg"]; e.Bytes != int64(len(body)) || e.Status != 200 || e.Proto != "http" || e.UserAgent == "" || e.DeviceID != "phone_805ec0aabbcc" {
		t.Errorf("file: %+v", e)
	}
	if e := events["sip.ld"]; e.Bytes != int64(len(image)) || e.Outcome != "ok" {
		t.Errorf("firmware: %+v", e)
	}
	if e := events["/nothing"]; e.Status != 404 || e.Outcome != "not-found" {
		t.Errorf("nothing: %+v", e)
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { refuse(w, 404) }), nil)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(Limit(l, Limits{Total: 1})) }()
	defer func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	first, second := dial(t, l), dial(t, l)
	ask(t, first)
	if _, err := io.WriteString(second, get); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	hear(t, second) // only once the first has gone
	if srv.ReadHeaderTimeout == 0 || srv.ReadTimeout == 0 || srv.WriteTimeout == 0 || srv.IdleTimeout == 0 || srv.MaxHeaderBytes == 0 {
		t.Error("a limit of the server is missing")
	}
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func ask(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, get); err != nil {
		t.Fatal(err)
	}
	hear(t, c)
}

func hear(t *testing.T, c net.Conn) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 404 {
		t.Errorf("answer is %s", res.Status)
	}
}

// curl fetches the files of each vendor as the phone does.
func TestCurl(t *testing.T) {
	t.Parallel()
	curl := testkit.Need(t, "curl")
	s := start(t, nil)
	for _, tt := range []struct{ args, want string }{
		{"/0004F2ABCDEF.cfg", `CONFIG_FILES="0004f2abcdef-dialtone.cfg"`},
		{"/0004f2abcdef-dialtone.cfg", `reg.1.auth.password="line-secret"`},
		{"/805ec0aabbcc.boot", `include:config "805ec0aabbcc.cfg"`},
		{"/y000000000000.cfg", "local_time.ntp_server1 = pool.ntp.org"},
		{"/805ec0aabbcc.cfg", "account.1.password = line-secret"},
		{"/cfg000b82123456.xml", "<P34>line-secret</P34>"},
		{"--http1.0 //cfg000b82123456.xml", "<P34>line-secret</P34>"},
		{"-r 0-4 /sip.ld", "01234"},
		{"-I /sip.ld", "Content-Length: 1000000"},
		{"/../../etc/passwd", "404 Not Found"},
		{"-T /dev/null /0004f2abcdef-app.log", "405 Method Not Allowed"},
	} {
		fields := strings.Fields(tt.args)
		last := len(fields) - 1
		args := append([]string{"-sS", "--path-as-is", "--max-time", "20"}, fields[:last]...)
		out, err := exec.CommandContext(t.Context(), curl, append(args, s.URL+fields[last])...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("curl %s: %v, no %q in %q", tt.args, err, tt.want, out)
		}
	}
}
