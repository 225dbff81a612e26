package tftpd

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/testkit"
	"pbx.dev/dialtone/provision"
	"pbx.dev/dialtone/templates"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// getter answers with functions by name.
type getter map[string]func() (provision.File, error)

func (g getter) Get(_ context.Context, r provision.Request) (provision.File, error) {
	if f, ok := g[r.Path]; ok {
		return f()
	}
	return provision.File{}, phone.ErrNotFound
}

func text(s string) func() (provision.File, error) {
	return func() (provision.File, error) {
		return provision.File{Size: int64(len(s)), Body: strings.NewReader(s)}, nil
	}
}

// start serves on a free port of the loopback and stops with the test.
func start(t *testing.T, o Options) *net.UDPAddr {
	t.Helper()
	addr, stop := startStoppable(t, o)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return addr
}

func startStoppable(t *testing.T, o Options) (*net.UDPAddr, func() error) {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, s)
}

func serve(t *testing.T, s *Server) (*net.UDPAddr, func() error) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, pc) }()
	return pc.LocalAddr().(*net.UDPAddr), func() error { cancel(); return <-done }
}

// client is a socket that speaks TFTP by hand.
type client struct {
	*net.UDPConn
	t *testing.T
}

func dial(t *testing.T) client {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return client{c, t}
}

func (c client) ask(to *net.UDPAddr, packet string) {
	c.t.Helper()
	if _, err := c.WriteTo([]byte(packet), to); err != nil {
		c.t.Fatal(err)
	}
}

func (c client) answer() (string, *net.UDPAddr) {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, 65536)
	n, from, err := c.ReadFromUDP(b)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b[:n]), from
}

const giveUp = "\x00\x05\x00\x00enough\x00"

func ack(block uint16) string { return string(binary.BigEndian.AppendUint16([]byte{0, 4}, block)) }

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	addr := start(t, Options{Files: getter{
		"invalid": func() (provision.File, error) { return provision.File{}, phone.Invalid("x", "is wrong") },
		"broken":  func() (provision.File, error) { return provision.File{}, errors.New("/var/lib/secret: no such file") },
		"panics":  func() (provision.File, error) { panic("boom") },
	}})
	for packet, want := range map[string]string{
		"\x00\x01nothing\x00octet\x00":                          "\x00\x05\x00\x01File not found\x00",
		"\x00\x01../../etc/passwd\x00octet\x00":                 "\x00\x05\x00\x01File not found\x00",
		"\x00\x01invalid\x00octet\x00":                          "\x00\x05\x00\x04Illegal TFTP operation\x00",
		"\x00\x01broken\x00octet\x00":                           "\x00\x05\x00\x00Server error\x00",
		"\x00\x01panics\x00octet\x00":                           "\x00\x05\x00\x00Server error\x00",
		"\x00\x01x\x00mail\x00":                                 "\x00\x05\x00\x04Illegal TFTP operation\x00",
		"\x00\x01" + strings.Repeat("a", 400) + "\x00octet\x00": "\x00\x05\x00\x04Illegal TFTP operation\x00",
		"\x00\x020004f2abcdef-app.log\x00octet\x00":             "\x00\x05\x00\x02Access violation\x00",
	} {
		c := dial(t)
		c.ask(addr, packet)
		if got, _ := c.answer(); got != want {
			t.Errorf("%.40q is answered %q, want %q", packet, got, want)
		}
	}
	// Strays are not answered: the first answer belongs to the request after them.
	c := dial(t)
	for _, stray := range []string{ack(1), "\x00\x05\x00\x00stop\x00", "\x00\x03\x00\x01data", "\x00", ""} {
		c.ask(addr, stray)
	}
	c.ask(addr, "\x00\x01nothing\x00octet\x00")
	if got, _ := c.answer(); got != string(refuseNotFound.packet()) {
		t.Errorf("a stray packet is answered %q", got)
	}
}

func TestOptionsInAnyCase(t *testing.T) {
	t.Parallel()
	addr := start(t, Options{Files: getter{"f": text(strings.Repeat("x", 1000))}})
	c := dial(t)
	c.ask(addr, "\x00\x01f\x00OcTeT\x00BLKSIZE\x00600\x00TSIZE\x000\x00Timeout\x003\x00")
	got, tid := c.answer()
	if !strings.HasPrefix(got, "\x00\x06") || !strings.Contains(got, "\x00blksize\x00600\x00") && !strings.Contains(got, "\x06blksize\x00600\x00") ||
		!strings.Contains(got, "tsize\x001000\x00") || !strings.Contains(got, "timeout\x003\x00") {
		t.Errorf("options are answered %q", got)
	}
	c.ask(tid, ack(0))
	if got, _ = c.answer(); len(got) != 604 {
		t.Errorf("first block has %d bytes", len(got))
	}
	c.ask(tid, ack(1))
	if got, _ = c.answer(); len(got) != 404 {
		t.Errorf("last block has %d bytes", len(got))
	}
	c.ask(tid, ack(2))
}

func sendAndHear(c client, addr *net.UDPAddr) (string, *net.UDPAddr) {
	c.ask(addr, "\x00\x01f\x00octet\x00")
	return c.answer()
}

func TestLostPacketsAreSentAgain(t *testing.T) {
	t.Parallel()
	addr := start(t, Options{Files: getter{"f": text(strings.Repeat("x", 600))}, Timeout: 50 * time.Millisecond})
	c := dial(t)
	_, tid := sendAndHear(c, addr)
	c.ask(tid, ack(1))
	second, _ := c.answer()
	again, tid2 := c.answer()
	if second != again || len(second) != 4+88 || tid.Port != tid2.Port {
		t.Errorf("second block %q from %v, then %q from %v", second, tid, again, tid2)
	}
	c.ask(tid, ack(1)) // an old acknowledgement changes nothing
	c.ask(tid, ack(2))
}

func TestPanicInFile(t *testing.T) {
	t.Parallel()
	addr := start(t, Options{Files: getter{
		"f": func() (provision.File, error) { return provision.File{Body: panicking{}}, nil },
		"g": text("fine"),
	}})
	if got, _ := sendAndHear(dial(t), addr); got != string(refuseOurs.packet()) {
		t.Errorf("a panic is answered %q", got)
	}
	c := dial(t)
	c.ask(addr, "\x00\x01g\x00octet\x00")
	got, tid := c.answer()
	if got != "\x00\x03\x00\x01fine" {
		t.Errorf("after a panic the server answers %q", got)
	}
	c.ask(tid, ack(1))
}

type panicking struct{}

func (panicking) Read([]byte) (int, error)       { panic("boom") }
func (panicking) Seek(int64, int) (int64, error) { panic("boom") }

func TestErrorsOfFilesSayNothing(t *testing.T) {
	t.Parallel()
	addr := start(t, Options{Files: getter{"f": func() (provision.File, error) {
		return provision.File{Body: failing{}}, nil
	}}})
	if got, _ := sendAndHear(dial(t), addr); !strings.HasSuffix(got, "Server error\x00") {
		t.Errorf("answer is %q", got)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error)       { return 0, errors.New("/var/lib/secret: input/output error") }
func (failing) Seek(int64, int) (int64, error) { return 0, nil }

// A transfer that is under way when the server stops is finished.
func TestStopWaitsForTransfers(t *testing.T) {
	t.Parallel()
	addr, stop := startStoppable(t, Options{Files: getter{"f": text(strings.Repeat("x", 700))}})
	c := dial(t)
	_, tid := sendAndHear(c, addr)
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	c.ask(tid, ack(1))
	if got, _ := c.answer(); len(got) != 4+188 {
		t.Errorf("second block has %d bytes", len(got))
	}
	c.ask(tid, ack(2))
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A phone that has gone does not hold the server up.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	addr, stop := startStoppable(t, Options{
		Files: getter{"f": text(strings.Repeat("x", 1<<20))}, Grace: 20 * time.Millisecond,
	})
	c := dial(t)
	_, tid := sendAndHear(c, addr)
	begin := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("stopping took %v", took)
	}
	c.ask(tid, giveUp)
}

// When there is no socket for a transfer, the phone is told and the place is free
// again.
func TestTransferThatCannotStart(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Files: getter{"f": text("abc")}})
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	s.conn, s.ports = pc, &ports{listen: func() (*net.UDPConn, error) { return nil, errors.New("too many open files") }}
	c := dial(t)
	s.packet([]byte("\x00\x01f\x00octet\x00"), c.LocalAddr().(*net.UDPAddr).AddrPort())
	s.work.Wait()
	if got, _ := c.answer(); got != string(refuseBusy.packet()) || s.slots.count() != 0 {
		t.Errorf("answer is %q, %d transfers go on", got, s.slots.count())
	}
}

func TestServeFailsWithItsSocket(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Files: getter{}})
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(context.Background(), pc); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve gives %v", err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("New takes no Files")
	}
}

// shelf and service make a real provision.Service with a phone of each vendor.
type shelf map[phone.MAC]phone.Device

func (s shelf) DeviceByMAC(_ context.Context, mac phone.MAC) (phone.Device, error) {
	if d, ok := s[mac]; ok {
		return d, nil
	}
	return phone.Device{}, phone.ErrNotFound
}

type recorder struct {
	mu     sync.Mutex
	events []phone.Event
	more   chan struct{}
}

func (r *recorder) record(e phone.Event) {
	r.mu.Lock()
	r.events = append(r.events, e)
	r.mu.Unlock()
	r.more <- struct{}{}
}

func service(t *testing.T, record func(phone.Event)) *provision.Service {
	t.Helper()
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
	s, err := provision.New(provision.Options{
		Inventory: inventory, Renderer: templates.Builtin(), Recorder: record,
		LAN: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Facts: func() provision.Facts {
			return provision.Facts{SIPServer: "sip.pbx.dev", SIPDomain: "pbx.dev", SIPPort: 5060, SIPTransport: "udp", NTP: "pool.ntp.org", TimeZone: "UTC"}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// want is a file as the service itself gives it.
func want(t *testing.T, s *provision.Service, name string) string {
	t.Helper()
	f, err := s.Get(t.Context(), provision.Request{Path: name, Source: netip.MustParseAddrPort("127.0.0.1:1")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var fetchers = map[string]func(addr *net.UDPAddr, name, into string) []string{
	"tftp": func(addr *net.UDPAddr, name, into string) []string {
		return []string{"-m", "binary", "127.0.0.1", portOf(addr), "-c", "get", name, into}
	},
	"atftp window": func(addr *net.UDPAddr, name, into string) []string {
		return []string{"--option", "blksize 1428", "--option", "windowsize 16", "-g", "-r", name, "-l", into, "127.0.0.1", portOf(addr)}
	},
	"atftp": func(addr *net.UDPAddr, name, into string) []string {
		return []string{"--option", "blksize 1428", "--option", "tsize 0", "-g", "-r", name, "-l", into, "127.0.0.1", portOf(addr)}
	},
	"curl": func(addr *net.UDPAddr, name, into string) []string {
		return []string{"-sS", "--path-as-is", "-o", into, "tftp://127.0.0.1:" + portOf(addr) + "/" + name}
	},
}

func portOf(a *net.UDPAddr) string { _, p, _ := net.SplitHostPort(a.String()); return p }

func run(t *testing.T, program string, args []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return err.Error() + ": " + string(out)
	}
	return string(out)
}

// Other people's clients fetch the files of each vendor in the order of the phone.
func TestRealClients(t *testing.T) {
	t.Parallel()
	names := []string{
		"0004F2ABCDEF.cfg", "0004f2abcdef-dialtone.cfg", "000000000000.cfg", "dialtone-common.cfg",
		"805ec0aabbcc.boot", "y000000000000.cfg", "y000000000066.cfg", "805EC0AABBCC.cfg", "y000000000000.boot",
		"cfg000b82123456", "cfg000B82123456.xml", "cfg.xml",
	}
	for program, args := range fetchers {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			path := testkit.Need(t, strings.Fields(program)[0])
			rec := &recorder{more: make(chan struct{}, 100)}
			s := service(t, rec.record)
			addr := start(t, Options{Files: s})
			into := filepath.Join(t.TempDir(), "file")
			for _, name := range names {
				out := run(t, path, args(addr, name, into))
				got, err := os.ReadFile(into)
				if err != nil {
					t.Fatalf("%s: %v, %s", name, err, out)
				}
				if diff := cmp.Diff(want(t, s, name), string(got)); diff != "" {
					t.Errorf("%s: %s\n%s", name, out, diff)
				}
				if err := os.Remove(into); err != nil {
					t.Fatal(err)
				}
				<-rec.more
			}
			for _, name := range []string{"../../etc/passwd", "0004f2000001.cfg", "p/token/805ec0aabbcc.cfg", "0004f2abcdef-web.cfg"} {
				out := run(t, path, args(addr, name, into))
				if got, err := os.ReadFile(into); err == nil && len(got) > 0 {
					t.Errorf("%s gives %q", name, got)
				}
				if program != "curl" && !strings.Contains(strings.ToLower(out), "file not found") {
					t.Errorf("%s: the client says %q", name, out)
				}
				_ = os.Remove(into)
				<-rec.more
			}
			checkEvents(t, rec, names)
		})
	}
}

func checkEvents(t *testing.T, rec *recorder, names []string) {
	t.Helper()
	for i, e := range rec.events {
		outcome := "ok"
		if i >= len(names) {
			outcome = map[bool]string{true: "denied", false: "not-found"}[i == len(names)+2]
		}
		if e.Outcome != outcome || e.Proto != "tftp" || outcome == "ok" && e.Bytes == 0 || outcome != "ok" && e.Status != 1 {
			t.Errorf("event %d: %+v, want outcome %s", i, e, outcome)
		}
	}
}

// Firmware of more than 65 535 blocks, and of an exact number of blocks.
func TestLargeFiles(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("0123456789abcdef"), (65_600*512)/16)
	addr := start(t, Options{Files: getter{
		"big.ld": func() (provision.File, error) {
			return provision.File{Size: int64(len(big)), Body: bytes.NewReader(big)}, nil
		},
		"exact.ld": func() (provision.File, error) {
			return provision.File{Size: 1428 * 512, Body: bytes.NewReader(big[:1428*512])}, nil
		},
		"empty.ld": func() (provision.File, error) { return provision.File{Body: bytes.NewReader(nil)}, nil },
	}})
	for program, args := range fetchers {
		t.Run(program, func(t *testing.T) {
			path := testkit.Need(t, strings.Fields(program)[0])
			into := filepath.Join(t.TempDir(), "file")
			for name, content := range map[string][]byte{"big.ld": big, "exact.ld": big[:1428*512]} {
				if name == "big.ld" && program != "tftp" {
					continue // one client is enough for 34 MB at 512 bytes
				}
				out := run(t, path, args(addr, name, into))
				got, err := os.ReadFile(into)
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s: %v, %d of %d bytes: %s", name, err, len(got), len(content), out)
				}
			}
		})
	}
	c := dial(t)
	c.ask(addr, "\x00\x01empty.ld\x00octet\x00tsize\x000\x00")
	got, tid := c.answer()
	if got != "\x00\x06tsize\x000\x00" {
		t.Errorf("an empty file is answered %q", got)
	}
	c.ask(tid, ack(0))
	if got, _ = c.answer(); got != "\x00\x03\x00\x01" {
		t.Errorf("the block of an empty file is %q", got)
	}
	c.ask(tid, ack(1))
}
