package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answer is the whole answer to a request of the phones' HTTP listener, as bytes,
// but for the date.
func (d *daemon) answer(method, path, agent string) string {
	d.t.Helper()
	c, err := net.DialTimeout("tcp", d.addr["http"], 10*time.Second)
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		d.t.Fatal(err)
	}
	if agent != "" {
		agent = "User-Agent: " + agent + "\r\n"
	}
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\n%sConnection: close\r\n\r\n", method, path, agent)
	all, err := io.ReadAll(c)
	if err != nil {
		d.t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^Date: .*\r\n`).ReplaceAllString(string(all), "")
}

// Whatever a phone may not have is the same answer, byte for byte.
func TestRefusalsAreTheSameBytes(t *testing.T) {
	t.Parallel()
	d := serve(t)
	macs := deskPhones(d)
	want := d.answer("GET", "/nothing.html", "")
	if !strings.HasPrefix(want, "HTTP/1.1 404") {
		t.Fatal(want)
	}
	token := strings.Repeat("a", 26)
	for path, agent := range map[string]string{
		"/0004f2fffff0.cfg": "", "/001565fffff0.boot": "", "/cfg000b82fffff0.xml": "", "/020000000001.cfg": "",
		"/" + macs["polycom"] + "-web.cfg": "", "/x.rom": "", "/p/guess/" + macs["yealink"] + ".cfg": "", "/p/" + token + "/" + macs["yealink"] + ".cfg": "",
		"/p/" + token + "/0004f2fffff0.cfg": "", "/p/" + token + "/y000000000000.cfg": "",
		"/" + macs["yealink"] + ".cfg":  "Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:02",
		"/" + macs["yealink"] + ".boot": "Grandstream Model HW GXP2135 SW 1.0.7.97 DevId 000b82123456",
		"/../../etc/passwd":             "", "/..%2f..%2fetc%2fpasswd": "", "/%2e%2e/%2e%2e/etc/passwd": "", "/....//....//etc/passwd": "",
		"/..\\..\\etc\\passwd": "", "/data/secret.key": "", "/admin.key": "", "/firmware/../secret.key": "", "/" + macs["yealink"] + ".cfg/../../x": "",
		"/%00" + macs["yealink"] + ".cfg": "", "/p/../" + macs["yealink"] + ".cfg": "", "/C:/windows/win.ini": "", "/.env": "", "/.git/config": "",
	} {
		if got := d.answer("GET", path, agent); got != want {
			t.Errorf("%s (%s):\n%q\nwant\n%q", path, agent, got, want)
		}
	}
}

// A scan of a MAC block over HTTP and TFTP at once, as fast as it goes, while phones
// boot behind the same address: every phone registers, no secret gets out, and the
// scan is told within ten seconds.
func TestScanWhilePhonesBoot(t *testing.T) {
	t.Parallel()
	d := serve(t)
	macs := deskPhones(d)
	d.extension("999", "canary-name")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var probes, leaks atomic.Int64
	done := make(chan struct{}, 2)
	go func() { scanHTTP(ctx, d, &probes, &leaks); done <- struct{}{} }()
	go func() { scanTFTP(ctx, d, &probes, &leaks); done <- struct{}{} }()
	began := time.Now()
	var bans struct {
		Bans []struct{ Source, Reason string }
	}
	eventually(t, 30*time.Second, "the scan is told", func() bool {
		d.call("GET", "/v1/pbx/bans", nil, &bans)
		return len(bans.Bans) == 1
	})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the scan was told after %s", took)
	}
	for vendor, mac := range macs {
		d.awaitRegistered(mac, d.boot(vendor, mac, "http://"+d.addr["http"]+"/"))
	}
	cancel()
	<-done
	<-done
	if leaks.Load() != 0 {
		t.Errorf("%d answers of %d were not the one of a file that is not there", leaks.Load(), probes.Load())
	}
	if bans.Bans[0].Source != "127.0.0.1" || bans.Bans[0].Reason != "scan" {
		t.Errorf("bans %+v", bans)
	}
	if n := strings.Count(d.log.String(), `msg="provision: ban" source=127.0.0.1 reason=scan`); n != 1 {
		t.Errorf("%d lines for fail2ban", n)
	}
	if n := len(d.phones("state=pending&limit=500")); n > 300 {
		t.Errorf("%d phones were made up and are listed", n)
	}
	_, metrics := d.raw("GET", "/metrics", nil)
	if !strings.Contains(string(metrics), `dialtone_provision_scans_total{reason="scan"} 1`) {
		t.Error("the scan is not in the metrics")
	}
	t.Logf("%d probes in %s", probes.Load(), time.Since(began))
}

// scanHTTP walks the block of Yealink over one connection.
func scanHTTP(ctx context.Context, d *daemon, probes, leaks *atomic.Int64) {
	c, err := net.Dial("tcp", d.addr["http"])
	if err != nil {
		leaks.Add(1)
		return
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	in := bufio.NewReader(c)
	for i := 0; ctx.Err() == nil; i++ {
		fmt.Fprintf(c, "GET /001565%06x.cfg HTTP/1.1\r\nHost: x\r\n\r\n", i)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		probes.Add(1)
		if res.StatusCode != http.StatusNotFound || string(body) != "404 Not Found\n" {
			leaks.Add(1)
		}
	}
}

// scanTFTP walks the block of Polycom; what is not answered is not waited for.
func scanTFTP(ctx context.Context, d *daemon, probes, leaks *atomic.Int64) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		leaks.Add(1)
		return
	}
	defer c.Close()
	to, err := net.ResolveUDPAddr("udp", d.addr["tftp"])
	if err != nil {
		leaks.Add(1)
		return
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	buf := make([]byte, 2048)
	for i := 0; ctx.Err() == nil; i++ {
		if _, err := c.WriteTo([]byte(fmt.Sprintf("\x00\x010004f2%06x.cfg\x00octet\x00", i)), to); err != nil {
			return
		}
		probes.Add(1)
		if c.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
			return
		}
		n, _, err := c.ReadFrom(buf)
		if err == nil && !bytes.Equal(buf[:n], []byte("\x00\x05\x00\x01File not found\x00")) {
			leaks.Add(1)
		}
	}
}

// BenchmarkFileWhileScanned fetches a phone's file over new connections, first alone
// and then beside two scanners that go as fast as they can; it reports the 99th
// percentiles and their ratio, which is that of this machine at this hour.
func BenchmarkFileWhileScanned(b *testing.B) {
	d := serve(b)
	d.extension("101", "")
	d.phone("001565aabb01", "T46S", "101")
	fetch := func() time.Duration {
		began := time.Now()
		if got := d.answer("GET", "/001565aabb01.cfg", ""); !strings.HasPrefix(got, "HTTP/1.1 200") {
			b.Fatal(got)
		}
		return time.Since(began)
	}
	p99 := func() time.Duration {
		took := make([]time.Duration, 2000)
		for i := range took {
			took[i] = fetch()
		}
		slices.Sort(took)
		return took[len(took)*99/100]
	}
	for b.Loop() {
		fetch()
	}
	b.StopTimer()
	alone := p99()
	ctx, cancel := context.WithCancel(b.Context())
	var probes, leaks atomic.Int64
	done := make(chan struct{}, 2)
	go func() { scanHTTP(ctx, d, &probes, &leaks); done <- struct{}{} }()
	go func() { scanTFTP(ctx, d, &probes, &leaks); done <- struct{}{} }()
	began := time.Now()
	scanned := p99()
	rate := float64(probes.Load()) / time.Since(began).Seconds()
	cancel()
	<-done
	<-done
	b.ReportMetric(float64(alone.Microseconds()), "p99-alone-µs")
	b.ReportMetric(float64(scanned.Microseconds()), "p99-scanned-µs")
	b.ReportMetric(float64(scanned)/float64(alone), "ratio")
	b.ReportMetric(rate, "probes/s")
}
