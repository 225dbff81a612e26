package tftpd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"pbx.dev/dialtone/internal/testkit"
	"pbx.dev/dialtone/provision"
)

// content is a file in which no two blocks are alike.
func content(n int) []byte {
	b := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; i+8 <= n; i += 8 {
		binary.BigEndian.PutUint64(b[i:], rng.Uint64())
	}
	return b
}

func bytesOf(b []byte) func() (provision.File, error) {
	return func() (provision.File, error) {
		return provision.File{Size: int64(len(b)), Body: bytes.NewReader(b)}, nil
	}
}

// silent reports that nothing comes for a while, which is many timeouts of the server.
func (c client) silent(wait time.Duration) bool {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		c.t.Fatal(err)
	}
	_, _, err := c.ReadFromUDP(make([]byte, 2048))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// download fetches a file the way RFC 7440 asks for: one acknowledgement for each
// window. lose says which packets the client does not hear, by count.
func (c client) download(addr *net.UDPAddr, name string, block, window int, options string, lose func(n int) bool) []byte {
	c.t.Helper()
	c.ask(addr, "\x00\x01"+name+"\x00octet\x00"+options)
	var out []byte
	var expect uint16 = 1
	inWindow, heard := 0, 0
	for {
		p, from := c.answer()
		heard++
		if lose != nil && lose(heard) {
			continue
		}
		switch {
		case strings.HasPrefix(p, "\x00\x06"):
			c.ask(from, ack(0))
		case strings.HasPrefix(p, "\x00\x03"):
			n := binary.BigEndian.Uint16([]byte(p[2:]))
			if n != expect { // a gap, or a repetition: what is missing is asked for
				c.ask(from, ack(expect-1))
				inWindow = 0
				continue
			}
			out = append(out, p[4:]...)
			expect++
			inWindow++
			last := len(p)-4 < block
			if last || inWindow == window {
				c.ask(from, ack(n))
				inWindow = 0
			}
			if last {
				return out
			}
		default:
			c.t.Fatalf("%s: answer is %q", name, p)
		}
	}
}

// patient fetches "f" as a phone does in a crowd: when its request is not answered, or
// its place was taken before it could answer, it asks again.
func (c client) patient(addr *net.UDPAddr) (out []byte) {
	c.t.Helper()
	b := make([]byte, 2048)
	for {
		c.ask(addr, "\x00\x01f\x00octet\x00blksize\x001428\x00")
		for out = nil; ; {
			if err := c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
				c.t.Fatal(err)
			}
			n, from, err := c.ReadFromUDP(b)
			if err != nil || b[1] == opError {
				break
			}
			switch number := binary.BigEndian.Uint16(b[2:]); {
			case b[1] == opOACK:
				c.ask(from, ack(0))
			case int(number) == len(out)/1428+1:
				out = append(out, b[4:n]...)
				c.ask(from, ack(number))
				if n < 4+1428 {
					return out
				}
			}
		}
	}
}

// A source that has not answered gets one packet, and one more for each time that it
// asks. Whoever's address was forged is not flooded.
func TestOnePacketBeforeAnAnswer(t *testing.T) {
	t.Parallel()
	addr := start(t, Options{Files: getter{"f": text(strings.Repeat("x", 5000))}, Timeout: 20 * time.Millisecond})
	for _, options := range []string{"", "blksize\x001428\x00windowsize\x0016\x00"} {
		c := dial(t)
		rrq := "\x00\x01f\x00octet\x00" + options
		c.ask(addr, rrq)
		first, tid := c.answer()
		c.ask(addr, rrq)
		again, tid2 := c.answer()
		if first != again || tid.Port != tid2.Port {
			t.Errorf("asked twice, the answers are %.20q from %v and %.20q from %v", first, tid, again, tid2)
		}
		if !c.silent(300 * time.Millisecond) {
			t.Error("a packet is repeated before the source has answered")
		}
	}
}

func TestDuplicateLateAndWrongAcknowledgements(t *testing.T) {
	t.Parallel()
	addr := start(t, Options{Files: getter{"f": bytesOf(content(512*2 + 100))}, Timeout: time.Minute})
	c := dial(t)
	_, tid := sendAndHear(c, addr)
	for _, n := range []uint16{0, 2, 3, 65535} { // of packets that were not sent
		c.ask(tid, ack(n))
	}
	c.ask(tid, "\x00\x04\x00")     // too short
	c.ask(tid, "\x00\x03\x00\x01") // not an acknowledgement
	c.ask(tid, ack(1))
	if got, _ := c.answer(); got[3] != 2 {
		t.Errorf("after the acknowledgement of 1 comes %q", got[:4])
	}
	// A repeated acknowledgement doubles nothing (the Sorcerer's Apprentice).
	c.ask(tid, ack(1))
	c.ask(tid, ack(1))
	c.ask(tid, ack(2))
	if got, _ := c.answer(); got[3] != 3 || len(got) != 104 {
		t.Errorf("after the acknowledgement of 2 comes %q", got[:4])
	}
	if !c.silent(100 * time.Millisecond) {
		t.Error("a repeated acknowledgement is answered")
	}
	c.ask(tid, ack(3))
}

func TestLostLastAcknowledgement(t *testing.T) {
	t.Parallel()
	addr := start(t, Options{Files: getter{"f": text("abc")}, Timeout: 30 * time.Millisecond})
	c := dial(t)
	c.ask(addr, "\x00\x01f\x00octet\x00blksize\x00512\x00")
	_, tid := c.answer()
	c.ask(tid, ack(0))
	first, _ := c.answer()
	again, _ := c.answer() // the acknowledgement was lost: the block comes again
	if first != again {
		t.Errorf("the last block is %q, then %q", first, again)
	}
	c.ask(tid, ack(1))
}

// A packet from elsewhere is answered with error 5 and disturbs nothing.
func TestStrangerGetsError5(t *testing.T) {
	t.Parallel()
	addr := start(t, Options{Files: getter{"f": bytesOf(content(700))}, Timeout: time.Minute})
	c, stranger := dial(t), dial(t)
	_, tid := sendAndHear(c, addr)
	stranger.ask(tid, ack(1))
	if got, _ := stranger.answer(); got != "\x00\x05\x00\x05Unknown transfer ID\x00" {
		t.Errorf("a stranger is answered %q", got)
	}
	stranger.ask(tid, giveUp)
	if !stranger.silent(50 * time.Millisecond) {
		t.Error("an error is answered")
	}
	c.ask(tid, ack(1))
	if got, _ := c.answer(); len(got) != 4+188 {
		t.Errorf("the transfer goes on with %d bytes", len(got))
	}
	c.ask(tid, ack(2))
}

// Windows of RFC 7440, with packets lost, at the least and the largest block, over
// the wrap of the block numbers, and files of a whole number of blocks.
func TestDownloads(t *testing.T) {
	t.Parallel()
	everyNth := func(n int) func(int) bool { return func(i int) bool { return i > 1 && i%n == 0 } }
	for name, tt := range map[string]struct {
		size, block, window int
		options             string
		lose                func(int) bool
	}{
		"no option":             {3000, 512, 1, "", nil},
		"nothing in it":         {0, 512, 1, "", nil},
		"whole blocks":          {512 * 4, 512, 1, "", nil},
		"whole window":          {1428 * 16, 1428, 16, "blksize\x001428\x00windowsize\x0016\x00", nil},
		"whole windows":         {1428 * 32, 1428, 16, "blksize\x001428\x00windowsize\x0016\x00", nil},
		"window, no blksize":    {100_000, 512, 8, "windowsize\x008\x00", nil},
		"lost":                  {60_000, 1428, 1, "blksize\x001428\x00", everyNth(7)},
		"lost in windows":       {300_000, 1428, 16, "blksize\x001428\x00windowsize\x0016\x00", everyNth(23)},
		"least block":           {4000, 8, 1, "blksize\x008\x00", nil},
		"least block, window":   {4000, 8, 64, "blksize\x008\x00windowsize\x0064\x00", nil},
		"wrap":                  {8*65_536 + 8*700, 8, 64, "blksize\x008\x00windowsize\x0064\x00", nil},
		"wrap, lost":            {8*65_536 + 3, 8, 64, "blksize\x008\x00windowsize\x0064\x00", everyNth(4999)},
		"largest block":         {65464*3 + 1, 65464, 1, "blksize\x0065464\x00", nil},
		"largest block, window": {65464 * 2, 65464, 1, "blksize\x0065464\x00windowsize\x004\x00", nil},
		"jumbo":                 {200_000, 9000, 10, "blksize\x009000\x00windowsize\x0010\x00", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := content(tt.size)
			addr := start(t, Options{Files: getter{"f": bytesOf(want)}, MaxBlock: maxBlock, Timeout: 50 * time.Millisecond})
			got := dial(t).download(addr, "f", tt.block, tt.window, tt.options, tt.lose)
			if !bytes.Equal(got, want) {
				t.Errorf("%d bytes, want %d", len(got), len(want))
			}
		})
	}
}

// Where the kernel does not cut packets, they go out one by one.
func TestWithoutSegmentation(t *testing.T) {
	t.Parallel()
	a, b := dial(t), dial(t)
	p := &port{UDPConn: a.UDPConn, plain: true}
	if err := p.send([]byte("aaabbbc"), 3, b.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"aaa", "bbb", "c"} {
		if got, _ := b.answer(); got != want {
			t.Errorf("packet is %q, want %q", got, want)
		}
	}
	// A packet larger than the device's is one that the kernel refuses to cut.
	p.plain = false
	if err := p.send(make([]byte, 3*40_000), 40_000, b.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got, _ := b.answer(); len(got) != 40_000 {
			t.Errorf("packet has %d bytes", len(got))
		}
	}
}

func TestNetascii(t *testing.T) {
	t.Parallel()
	const in, out = "one\ntwo\r\nthree\rend", "one\r\ntwo\r\x00\r\nthree\r\x00end"
	addr := start(t, Options{Files: getter{"f": text(in), "long": text(strings.Repeat("\n", 1000))}})
	c := dial(t)
	c.ask(addr, "\x00\x01f\x00NetAscii\x00tsize\x000\x00blksize\x001000\x00")
	got, tid := c.answer()
	if strings.Contains(got, "tsize") {
		t.Errorf("options are answered %q", got)
	}
	c.ask(tid, ack(0))
	if got, _ = c.answer(); got[4:] != out {
		t.Errorf("text is %q, want %q", got[4:], out)
	}
	c.ask(tid, ack(1))
	if program := testkit.Need(t, "tftp"); program != "" {
		into := filepath.Join(t.TempDir(), "file")
		cmd := exec.CommandContext(t.Context(), program, "-m", "netascii", "127.0.0.1", portOf(addr), "-c", "get", "long", into)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if text, err := os.ReadFile(into); err != nil || string(text) != strings.Repeat("\n", 1000) {
			t.Errorf("%v, %d bytes", err, len(text))
		}
	}
}

// One address has so many transfers at a time; one that is over makes room, and so
// does one whose phone never answered.
func TestLimitPerSource(t *testing.T) {
	t.Parallel()
	addr := start(t, Options{Files: getter{"f": text(strings.Repeat("x", 700))}, MaxPerSource: 2, Timeout: time.Minute})
	a, b, c := dial(t), dial(t), dial(t)
	_, tidA := sendAndHear(a, addr)
	_, tidB := sendAndHear(b, addr)
	if got, _ := sendAndHear(c, addr); len(got) != 516 {
		t.Errorf("silent transfers keep their places: %q", got)
	}
	a.ask(tidA, ack(1)) // too late: the place is taken, the socket another's or closed
	b.ask(tidB, ack(1))
	b.answer()
	_, tidA = sendAndHear(a, addr) // takes the place of c
	a.ask(tidA, ack(1))
	for { // a's own answer to the late acknowledgement may come first
		if got, _ := a.answer(); len(got) == 192 {
			break
		}
	}
	if got, _ := sendAndHear(c, addr); got != string(refuseBusy.packet()) {
		t.Errorf("with two transfers going on the third is answered %q", got)
	}
	b.ask(tidB, ack(2))
	for { // the place is free soon after the acknowledgement; each try is one exchange
		if got, tid := sendAndHear(c, addr); len(got) == 516 {
			c.ask(tid, giveUp)
			break
		}
	}
	a.ask(tidA, giveUp)
}

// A flood of requests with forged addresses holds no more than the server's bounds,
// and a phone gets its file all the while.
func TestFloodOfForgedRequests(t *testing.T) {
	t.Parallel()
	const transfers = 64
	want := content(20_000)
	s, err := New(Options{Files: getter{"f": bytesOf(want)}, MaxTransfers: transfers, Timeout: 5 * time.Second, Grace: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	addr, stop := serve(t, s)
	before := runtime.NumGoroutine()
	enough, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-enough:
				return
			default:
				forge(t, addr, i)
			}
		}
	}()
	most := 0
	displaced := func() float64 { return testutil.ToFloat64(s.metrics.displaced) }
	for n := 0; n < 5 || displaced() == 0; n++ { // silence lasts longer than it takes to fill the places
		if got := dial(t).patient(addr); !bytes.Equal(got, want) {
			t.Errorf("a phone gets %d bytes", len(got))
		}
		most = max(most, s.slots.count())
	}
	if n := runtime.NumGoroutine(); n > before+2*transfers+100 { // of other tests too
		t.Errorf("%d goroutines, %d before", n, before)
	}
	close(enough)
	<-done
	if most > transfers {
		t.Errorf("%d transfers at a time", most)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// forge asks from an address where nobody hears the answer.
func forge(t *testing.T, addr *net.UDPAddr, i int) {
	t.Helper()
	from := net.IPv4(127, byte(1+i%100), byte(i>>8), byte(1+i%250))
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: from}, addr)
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := io.WriteString(c, "\x00\x01f\x00octet\x00blksize\x001428\x00windowsize\x0064\x00"); err != nil {
		t.Error(err)
	}
	_ = c.Close()
}

// More requests than twice the places, with look-ups that hang, are not even answered.
func TestFloodOfHangingLookups(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	s, err := New(Options{MaxTransfers: 4, MaxPerSource: 100, Files: getter{
		"hang": func() (provision.File, error) { <-hang; return provision.File{}, errors.New("late") },
	}})
	if err != nil {
		t.Fatal(err)
	}
	addr, stop := serve(t, s)
	c := dial(t)
	for i := range 20 {
		c.ask(addr, fmt.Sprintf("\x00\x01hang\x00octet\x00x\x00%d\x00", i))
	}
	for testutil.ToFloat64(s.metrics.ignored) < 12 {
		runtime.Gosched()
	}
	if s.slots.count() != 4 {
		t.Errorf("%d transfers", s.slots.count())
	}
	close(hang)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Sockets are used again, the port of a transfer is one of many, and none for long.
func TestPorts(t *testing.T) {
	t.Parallel()
	p := newPorts(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	seen := map[string]int{}
	for range 3000 {
		c, err := p.take(false)
		if err != nil {
			t.Fatal(err)
		}
		seen[c.LocalAddr().String()]++
		p.give(c)
	}
	for at, n := range seen {
		if n > portUses {
			t.Errorf("%s was used %d times", at, n)
		}
	}
	if len(seen) < portsKept || len(seen) > 1000 {
		t.Errorf("%d ports for 3000 transfers", len(seen))
	}
	fresh, err := p.take(true)
	if err != nil || seen[fresh.LocalAddr().String()] > portUses {
		t.Errorf("%v, %v", fresh, err)
	}
	p.close()
	p.give(fresh)
	if len(p.idle) != 0 {
		t.Error("a socket is kept after the end")
	}
}
