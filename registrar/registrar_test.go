package registrar

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/location"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// directory has extensions 101 and 102: their own users, and for 101 the lines of
// two devices.
type directory struct{}

func (directory) Credential(_ context.Context, user string) (phone.Credential, error) {
	c := phone.Credential{User: user, Extension: user[:min(3, len(user))], Secret: phone.NewSecret("pw-" + user)}
	switch user {
	case "101_a1b2c3", "102_d4e5f6":
		return c, nil
	case "101_line1", "101_line2":
		c.DeviceID, c.Line = "phone_"+user, 1
		return c, nil
	case "broken":
		return phone.Credential{}, errors.New("database is away")
	}
	if strings.HasPrefix(user, "5") { // as many as a test wants
		c.Extension = user
		return c, nil
	}
	return phone.Credential{}, phone.ErrNotFound
}

// CachedCredential is what a real directory has in memory: not the users of 102.
func (d directory) CachedCredential(user string) (phone.Credential, bool, error) {
	if strings.HasPrefix(user, "102") || user == "broken" {
		return phone.Credential{}, false, nil
	}
	c, err := d.Credential(context.Background(), user)
	return c, true, err
}

// broken is a store that fails.
type broken struct {
	location.Store
	err error
}

func (b broken) Apply(context.Context, location.Update) (location.Result, error) {
	return location.Result{}, b.err
}

func (b broken) Lookup(context.Context, location.AOR) ([]location.Binding, error) {
	return nil, b.err
}

// world is a Server on loopback.
type world struct {
	*Server
	store    location.Store
	udp, tcp string
	mu       sync.Mutex
	log      []phone.Event // that the server has recorded
}

func start(t testing.TB, change func(*Options)) *world {
	t.Helper()
	store, err := location.NewMemory(location.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: store}
	opts := Options{
		Domain: "pbx.dev", Aliases: []string{"sip.pbx.dev"}, Directory: directory{}, Store: store,
		Node: "n1", Boot: "b1", Registerer: prometheus.NewRegistry(),
		Recorder: func(e phone.Event) { w.mu.Lock(); w.log = append(w.log, e); w.mu.Unlock() },
	}
	if change != nil {
		change(&opts)
	}
	if w.Server, err = New(opts); err != nil {
		t.Fatal(err)
	}
	packet, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.udp, w.tcp = packet.LocalAddr().String(), stream.Addr().String()
	served := make(chan error, 1)
	go func() {
		served <- w.Serve(context.Background(), []edge.Listener{{Transport: "udp", Packet: packet}, {Transport: "tcp", Stream: stream}})
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(w.Shutdown(ctx), <-served, store.Close()); err != nil {
			t.Error(err)
		}
	})
	// Serve may not have begun; an answer says that it has.
	dialPhone(t, w, "udp", "101_a1b2c3").exchange("OPTIONS", nil)
	return w
}

func (w *world) events() []phone.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.log)
}

// uac is a phone: one socket, one Call-ID.
type uac struct {
	t      testing.TB
	conn   net.Conn
	user   string // digest user
	pass   string
	to     string
	uri    string
	callID string
	cseq   int
	auth   string // Authorization, once challenged
	nonce  string
	nc     int
}

func dialPhone(t testing.TB, w *world, network, user string) *uac {
	t.Helper()
	addr := w.udp
	if network == "tcp" {
		addr = w.tcp
	}
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &uac{
		t: t, conn: c, user: user, pass: "pw-" + user, to: "<sip:" + user[:3] + "@pbx.dev>", uri: "sip:pbx.dev",
		callID: fmt.Sprintf("%s@%s", user, c.LocalAddr()),
	}
}

// raw sends text and returns the answer.
func (u *uac) raw(text string) string {
	u.t.Helper()
	if _, err := u.conn.Write([]byte(text)); err != nil {
		u.t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	n, err := u.conn.Read(buf)
	if err != nil {
		u.t.Fatalf("no answer to %q: %v", text, err)
	}
	return string(buf[:n])
}

// text is a request with the next CSeq.
func (u *uac) text(method string, headers []string) string {
	u.cseq++
	if u.auth != "" {
		headers = append(slices.Clone(headers), u.auth)
	}
	lines := append([]string{
		method + " " + u.uri + " SIP/2.0", "Via: SIP/2.0/X phone.invalid;rport;branch=z9hG4bK" + fmt.Sprint(u.cseq),
		"From: <sip:" + u.user[:3] + "@pbx.dev>;tag=1", "To: " + u.to, "Call-ID: " + u.callID,
		fmt.Sprintf("CSeq: %d %s", u.cseq, method), "User-Agent: test/1", "Content-Length: 0",
	}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func (u *uac) exchange(method string, headers []string) string {
	u.t.Helper()
	return u.raw(u.text(method, headers))
}

var nonceOf = regexp.MustCompile(`(?s)^SIP/2.0 401 .*nonce="([^"]+)"`)

// register sends a REGISTER with the headers and answers challenges once.
func (u *uac) register(headers ...string) string {
	u.t.Helper()
	u.auth = ""
	if u.nonce != "" {
		u.authorize()
	}
	answer := u.exchange("REGISTER", headers)
	if m := nonceOf.FindStringSubmatch(answer); m != nil {
		u.nonce, u.nc = m[1], 0
		u.authorize()
		answer = u.exchange("REGISTER", headers)
	}
	return answer
}

func (u *uac) authorize() {
	hash := func(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }
	u.nc++
	nc := fmt.Sprintf("%08x", u.nc)
	response := hash(hash(u.user+":pbx.dev:"+u.pass) + ":" + u.nonce + ":" + nc + ":cn:auth:" + hash("REGISTER:"+u.uri))
	u.auth = fmt.Sprintf(`Authorization: Digest username="%s",realm="pbx.dev",nonce="%s",uri="%s",response="%s",algorithm=MD5,cnonce="cn",qop=auth,nc=%s`,
		u.user, u.nonce, u.uri, response, nc)
}

func status(answer string) string {
	line, _, _ := strings.Cut(answer, "\r\n")
	return strings.TrimPrefix(line, "SIP/2.0 ")
}

// header returns the values of a header, in order.
func header(answer, name string) (values []string) {
	for line := range strings.SplitSeq(answer, "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			values = append(values, v)
		}
	}
	return values
}

func (w *world) bindings(t testing.TB, extension string) []location.Binding {
	t.Helper()
	bs, err := w.store.Lookup(t.Context(), location.AOR(extension+"@pbx.dev"))
	if err != nil {
		t.Fatal(err)
	}
	return bs
}

// contacts are the URIs that are registered, sorted.
func (w *world) contacts(t testing.TB, extension string) []string {
	t.Helper()
	var uris []string
	for _, b := range w.bindings(t, extension) {
		uris = append(uris, b.Contact)
	}
	slices.Sort(uris)
	return uris
}
