package proxy

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/digest"
	"pbx.dev/dialtone/registrar/fork"
	"pbx.dev/dialtone/registrar/location"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDomain = "pbx.test"

// house is the Directory, Lookup and Authenticator of a test: extensions 101 to
// 109 exist, with SIPUsername "101_a" and the minted user "line101".
type house struct {
	mu       sync.Mutex
	bindings map[string][]location.Binding // by extension
	lookup   error
}

func (h *house) Extension(_ context.Context, number string) (phone.Extension, error) {
	if len(number) != 3 || !strings.HasPrefix(number, "10") {
		return phone.Extension{}, phone.ErrNotFound
	}
	return phone.Extension{Number: number, Name: "Ext " + number, SIPUsername: number + "_a"}, nil
}

func (h *house) Credential(_ context.Context, user string) (phone.Credential, error) {
	number, minted := strings.CutPrefix(user, "line")
	if !minted {
		if number, minted = strings.CutSuffix(user, "_a"); !minted {
			return phone.Credential{}, phone.ErrNotFound
		}
	}
	return phone.Credential{User: user, Extension: number, Name: "Ext " + number, DeviceID: "phone_of" + number}, nil
}

// Verify trusts whoever writes "Digest username=..., realm=...".
func (h *house) Verify(ctx context.Context, r digest.Request) digest.Result {
	for _, a := range r.Authorization {
		if a == "garbage" {
			return digest.Result{Outcome: digest.Malformed}
		}
		for _, part := range splitList(strings.TrimPrefix(a, "Digest ")) {
			user, ok := strings.CutPrefix(part, "username=")
			if cred, err := h.Credential(ctx, strings.Trim(user, `"`)); ok && err == nil {
				return digest.Result{Outcome: digest.OK, Credential: cred}
			}
		}
	}
	return digest.Result{Outcome: digest.Missing}
}

func (h *house) Challenges(bool, string) []string {
	return []string{`Digest realm="pbx.test", nonce="1"`}
}

func (h *house) Lookup(_ context.Context, aor location.AOR) ([]location.Binding, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.bindings[strings.TrimSuffix(string(aor), "@"+testDomain)]), h.lookup
}

// bind registers a phone; change may be nil.
func (h *house) bind(ext string, u *ua, change func(*location.Binding)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := location.Binding{
		AOR: location.AOR(ext + "@" + testDomain), ID: u.addr(), Contact: u.contact(ext), Received: u.addr(),
		Transport: u.transport, AuthUser: "line" + ext, Device: "line:line" + ext, UserAgent: "test phone", Q: 1000,
	}
	if change != nil {
		change(&b)
	}
	h.bindings[ext] = append(h.bindings[ext], b)
}

// site is a running proxy with a UDP and a TCP socket.
type site struct {
	*house
	t        testing.TB
	proxy    *Proxy
	reg      *prometheus.Registry
	udp, tcp string
	ws       string
	events   chan phone.Event
}

func newSite(t testing.TB, change func(*Options)) *site {
	t.Helper()
	return newSiteAt(t, "127.0.0.1", change)
}

func newSiteAt(t testing.TB, host string, change func(*Options)) *site {
	t.Helper()
	pc, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	ws, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{
		house: &house{bindings: map[string][]location.Binding{}}, t: t, reg: prometheus.NewRegistry(),
		udp: pc.LocalAddr().String(), tcp: l.Addr().String(), ws: ws.Addr().String(), events: make(chan phone.Event, 100),
	}
	ports := map[string]int{
		"udp": pc.LocalAddr().(*net.UDPAddr).Port, "tcp": l.Addr().(*net.TCPAddr).Port, "ws": ws.Addr().(*net.TCPAddr).Port,
	}
	o := Options{
		Domain: testDomain, Auth: s, Directory: s, Lookup: s, Registerer: s.reg,
		Advertise: func(transport string) (string, int) { return host, ports[transport] },
		Recorder: func(e phone.Event) {
			select {
			case s.events <- e:
			default: // it must not block
			}
		},
		Fork: fork.Options{Linger: 5 * time.Second},
	}
	if change != nil {
		change(&o)
	}
	if s.proxy, err = New(o); err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() { check(t, s.proxy.ServePacket("udp", pc)) })
	served.Go(func() { check(t, s.proxy.ServeStream("tcp", l)) })
	served.Go(func() { check(t, s.proxy.ServeStream("ws", ws)) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = s.proxy.Shutdown(ctx) // calls may still be up
		served.Wait()
	})
	newUDP(t, s).greet()
	return s
}

// greet returns when the proxy reads from this phone.
func (u *ua) greet() {
	u.t.Helper()
	u.send("OPTIONS sip:%s SIP/2.0\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:%s>\r\nCall-ID: up%s\r\nCSeq: 1 OPTIONS\r\n", testDomain, testDomain, u.addr())
	u.response(200)
}

func check(t testing.TB, err error) {
	if err != nil {
		t.Error(err)
	}
}

// ua is a phone of a test: one socket and what has come in on it.
type ua struct {
	t         testing.TB
	transport string
	local     net.Addr
	write     func([]byte) error
	close     func() error
	in        chan sip.Message
	branches  int
}

func newUDP(t testing.TB, s *site) *ua {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", s.udp)
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", net.JoinHostPort(to.IP.String(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	u := &ua{t: t, transport: "udp", local: pc.LocalAddr(), in: make(chan sip.Message, 100), close: pc.Close}
	u.write = func(b []byte) error { _, err := pc.WriteTo(b, to); return err }
	go func() {
		buf := make([]byte, 65535)
		for {
			n, _, err := pc.ReadFrom(buf)
			if err != nil {
				close(u.in)
				return
			}
			if m, err := sip.ParseMessage(buf[:n]); err == nil && len(u.in) < cap(u.in) {
				u.in <- m // what nobody reads is lost
			}
		}
	}()
	t.Cleanup(func() { _ = pc.Close() })
	return u
}

func newTCP(t testing.TB, addr, transport string) *ua {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	u := &ua{t: t, transport: transport, local: c.LocalAddr(), in: make(chan sip.Message, 100), close: c.Close}
	u.write = func(b []byte) error { _, err := c.Write(b); return err }
	go func() {
		defer close(u.in)
		par, buf := sip.NewParser().NewSIPStream(), make([]byte, 65535)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			_ = par.ParseSIPStream(buf[:n], func(m sip.Message) {
				if len(u.in) < cap(u.in) {
					u.in <- m
				}
			})
		}
	}()
	t.Cleanup(func() { _ = c.Close() })
	u.greet() // the connection is accepted
	return u
}

func (u *ua) addr() string { return u.local.String() }

func (u *ua) contact(user string) string {
	if u.transport == "ws" {
		return "sip:" + user + "@abcdef.invalid;transport=ws"
	}
	return fmt.Sprintf("sip:%s@%s;transport=%s", user, u.addr(), u.transport)
}

// send writes a request; Via, Max-Forwards and Content-Length are added.
func (u *ua) send(format string, args ...any) (branch string) {
	u.t.Helper()
	u.branches++
	branch = fmt.Sprintf("z9hG4bK-%s-%d", strings.ReplaceAll(u.addr(), ":", "-"), u.branches)
	u.sendWith(branch, format, args...)
	return branch
}

func (u *ua) sendWith(branch, format string, args ...any) {
	u.t.Helper()
	text := fmt.Sprintf(format, args...)
	line, rest, _ := strings.Cut(text, "\r\n")
	head, body, _ := strings.Cut(rest, "\r\n\r\n")
	head = strings.TrimSuffix(head, "\r\n") + "\r\n"
	if !strings.Contains(head, "Max-Forwards:") {
		head += "Max-Forwards: 70\r\n"
	}
	via := fmt.Sprintf("Via: SIP/2.0/%s %s;branch=%s;rport\r\n", strings.ToUpper(u.transport), u.addr(), branch)
	msg := line + "\r\n" + via + head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
	if err := u.write([]byte(msg)); err != nil {
		u.t.Fatal(err)
	}
}

const patience = 5 * time.Second

// next is the next message, of any kind.
func (u *ua) next() sip.Message {
	u.t.Helper()
	select {
	case m, ok := <-u.in:
		if !ok {
			u.t.Fatal("connection closed")
		}
		return m
	case <-time.After(patience):
		u.t.Fatal("no message came")
	}
	return nil
}

// response skips to the response with that code; others but 100 are errors.
func (u *ua) response(code int) *sip.Response {
	u.t.Helper()
	for {
		res, ok := u.next().(*sip.Response)
		if ok && res.StatusCode == 100 && code != 100 {
			continue
		}
		if !ok || res.StatusCode != code {
			u.t.Fatalf("want %d, got %v", code, res)
		}
		return res
	}
}

// request skips repetitions and wants a request.
func (u *ua) request(method sip.RequestMethod) *sip.Request {
	u.t.Helper()
	m := u.next()
	req, ok := m.(*sip.Request)
	if !ok || req.Method != method {
		u.t.Fatalf("want %s, got %s", method, m)
	}
	return req
}

// silent checks that nothing has come; the caller knows that it would be here.
func (u *ua) silent() {
	u.t.Helper()
	select {
	case m, ok := <-u.in:
		if ok {
			u.t.Fatalf("unexpected %s", m)
		}
	default:
	}
}

// respond answers a request with the To tag of this phone.
func (u *ua) respond(req *sip.Request, code int, headers ...sip.Header) {
	u.t.Helper()
	var body []byte
	res := sip.NewResponseFromRequest(req, code, reasonPhrase(code), body)
	if code > 100 {
		res.To().Params.Add("tag", u.tag(req))
	}
	for _, h := range headers {
		res.AppendHeader(h)
	}
	if code/100 == 2 {
		res.AppendHeader(sip.NewHeader("Contact", "<"+u.contact("dialog")+">"))
	}
	if err := u.write([]byte(res.String())); err != nil {
		u.t.Fatal(err)
	}
}

func (u *ua) tag(req *sip.Request) string {
	if tag := tagOf(req.To().Params); tag != "" {
		return tag
	}
	return "t" + strings.NewReplacer(":", "", ".", "").Replace(u.addr())
}

// call is an INVITE with its dialog, as its caller sees it.
type call struct {
	u              *ua
	to, from, id   string
	toTag          string
	branch, extra  string
	routes, remote string
	seq            int
}

// invite calls ext as extension from, with a digest unless extra says otherwise.
func (u *ua) invite(from, ext, extra string) *call {
	u.t.Helper()
	c := &call{u: u, from: from, to: ext, extra: extra, seq: 1}
	c.id = fmt.Sprintf("call%d-%s", u.branches, strings.ReplaceAll(u.addr(), ":", "-"))
	if extra == "" {
		c.extra = auth(from)
	}
	c.branch = u.send("INVITE sip:%s@%s SIP/2.0\r\n%s%sContact: <%s>\r\n\r\nv=0\r\n", ext, testDomain, c.headers("INVITE"), c.extra, u.contact(from))
	return c
}

func auth(ext string) string {
	return `Proxy-Authorization: Digest username="` + ext + `_a", realm="pbx.test"` + "\r\n"
}

func (c *call) headers(method string) string {
	to := ""
	if c.toTag != "" {
		to = ";tag=" + c.toTag
	}
	return fmt.Sprintf("From: \"Caller\" <sip:%s@%s>;tag=from1\r\nTo: <sip:%s@%s>%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n",
		c.from, testDomain, c.to, testDomain, to, c.id, c.seq, method)
}

func (c *call) cancel(headers ...string) {
	c.u.t.Helper()
	c.u.sendWith(c.branch, "CANCEL sip:%s@%s SIP/2.0\r\n%s%s", c.to, testDomain, c.headers("CANCEL"), strings.Join(headers, ""))
}

// answered takes the 200 and acknowledges it.
func (c *call) answered(res *sip.Response) {
	c.u.t.Helper()
	c.toTag = tagOf(res.To().Params)
	rrs := values(res, "Record-Route")
	slices.Reverse(rrs)
	for _, rr := range rrs {
		c.routes += "Route: " + rr + "\r\n"
	}
	c.remote = res.Contact().Address.String()
	c.send("ACK")
}

// send sends a request of the dialog.
func (c *call) send(method string) {
	c.u.t.Helper()
	if method != "ACK" {
		c.seq++
	}
	c.u.send("%s %s SIP/2.0\r\n%s%s", method, c.remote, c.headers(method), c.routes)
}
