package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ledger is what the nodes acknowledged.
type ledger struct {
	mu       sync.Mutex
	contacts map[string]string // contact: extension
	names    map[string]string // extension: the name it was given last
	unsure   map[string]bool   // extensions whose last rename got no answer
	moved    int               // phones that registered at the survivor

	fetched, refetched int // files, and those that the survivor served in place of the dead
}

func (l *ledger) note(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn()
}

func (l *ledger) size() (contacts, names int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.contacts), len(l.names)
}

// registering registers one phone after the other at a node until that is gone; the
// phone that got no answer tries the other node, as its retry would.
func (l *ledger) registering(t *testing.T, at, then *daemon, worker int, creds []credentials) {
	p := newRawPhone(t, at.addr["sip.udp"])
	for i := 0; ; i++ {
		c := creds[(i*7+worker)%len(creds)]
		contact := fmt.Sprintf("%sw%dx%d", c.Number, worker, i%100) // then they refresh
		answer := p.register(c.Number, c.SIPUsername, c.SIPPassword, contact, 3600)
		if strings.HasPrefix(answer, "SIP/2.0 200 ") {
			l.note(func() { l.contacts[contact] = c.Number })
			continue
		}
		if answer != "" {
			t.Errorf("register: %s", answer)
		}
		again := newRawPhone(t, then.addr["sip.udp"])
		again.cseq = p.cseq
		answer = again.register(c.Number, c.SIPUsername, c.SIPPassword, contact, 3600)
		if !strings.HasPrefix(answer, "SIP/2.0 200 ") {
			t.Errorf("the survivor refuses a phone: %s", answer)
			return
		}
		l.note(func() { l.contacts[contact], l.moved = c.Number, l.moved+1 })
		return
	}
}

// writing creates and renames extensions at a node until that is gone.
func (l *ledger) writing(t *testing.T, at *daemon, worker int) {
	for i := 0; ; i++ {
		number := fmt.Sprintf("%d%04d", 5+worker, i)
		status, text, err := at.try("POST", "/v1/pbx/extensions", map[string]string{"number": number, "name": "first"})
		if err != nil {
			return
		}
		if status != http.StatusCreated {
			t.Errorf("create %s: %d %s", number, status, text)
			return
		}
		l.note(func() { l.names[number] = "first" })
		status, text, err = at.try("PATCH", "/v1/pbx/extensions/"+number, map[string]string{"name": "second"})
		if err != nil {
			l.note(func() { l.unsure[number] = true })
			return
		}
		if status != http.StatusOK {
			t.Errorf("rename %s: %d %s", number, status, text)
			return
		}
		l.note(func() { l.names[number] = "second" })
	}
}

var filePassword = regexp.MustCompile(`(?m)^account\.1\.password *= *\S+`)

// fetching fetches phones' files from a node until that is gone; the phone whose download
// failed asks the other node, as its retry would, and gets the same password.
func (l *ledger) fetching(t *testing.T, at, then *daemon, macs []string) {
	get := func(d *daemon, mac string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.addr["http"]+"/"+mac+".cfg", http.NoBody)
		if err != nil {
			return "", err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", mac, res.Status)
		}
		return filePassword.FindString(string(text)), err // ports are each node's own here
	}
	first := map[string]string{}
	for i := 0; ; i++ {
		mac := macs[i%len(macs)]
		text, err := get(at, mac)
		if err != nil {
			if text, err = get(then, mac); err != nil || text == "" || first[mac] != "" && text != first[mac] {
				t.Errorf("the survivor serves %v %s, want %s", err, text, first[mac])
			}
			l.note(func() { l.refetched++ })
			return
		}
		if first[mac] == "" {
			first[mac] = text
		} else if text != first[mac] {
			t.Errorf("%s has %s now, before %s", mac, text, first[mac])
		}
		l.note(func() { l.fetched++ })
	}
}

// missing counts what a node does not have of what was acknowledged.
func (l *ledger) missing(t *testing.T, d *daemon) (contacts, names int) {
	t.Helper()
	live := map[string]string{}
	for contact, number := range l.contacts {
		if live[number] == "" {
			live[number] = contactsOf(d, number)
		}
		if !strings.Contains(live[number], "sip:"+contact+"@") {
			contacts++
		}
	}
	for number, name := range l.names {
		status, text := d.raw("GET", "/v1/pbx/extensions/"+number, nil)
		var e struct{ Name string }
		if err := json.Unmarshal(text, &e); err != nil || status != http.StatusOK || e.Name != name && !l.unsure[number] {
			names++
		}
	}
	return contacts, names
}

// TestNodeKilledUnderLoad: kill -9 of one node while phones register and an
// administrator writes there: the other has all that was acknowledged, the phones
// register there with their next try, and the first has it too when it is back.
func TestNodeKilledUnderLoad(t *testing.T) {
	t.Parallel()
	const phones, writers, fetchers = 6, 2, 2
	one, two := serveCluster(t, "--sip.max_contacts", "1000")
	creds := make([]credentials, 50)
	for i := range creds {
		creds[i] = one.extension(fmt.Sprint(1000+i), "Desk")
	}
	macs := make([]string, 10)
	for i := range macs {
		macs[i] = fmt.Sprintf("001565aabb%02d", i)
		one.phone(macs[i], "T46S", fmt.Sprint(1040+i))
	}
	soon(t, "the phones at the other", func() bool { return len(two.phones("macAddress="+macs[len(macs)-1])) == 1 })
	l := &ledger{contacts: map[string]string{}, names: map[string]string{}, unsure: map[string]bool{}}
	var wg sync.WaitGroup
	for w := range phones {
		wg.Go(func() { l.registering(t, two, one, w, creds) })
	}
	for w := range writers {
		wg.Go(func() { l.writing(t, two, w) })
	}
	for range fetchers {
		wg.Go(func() { l.fetching(t, two, one, macs) })
	}
	eventually(t, 60*time.Second, "there is load", func() bool {
		contacts, names := l.size()
		return contacts >= 300 && names >= 100
	})
	_ = two.kill(syscall.SIGKILL)
	wg.Wait()
	contacts, names := l.size()
	t.Logf("acknowledged: %d contacts, %d extensions; %d phones went on at the survivor", contacts, names, l.moved)
	t.Logf("%d files fetched, %d from the survivor", l.fetched, l.refetched)
	if l.moved != phones || l.refetched != fetchers || l.fetched < 100 {
		t.Errorf("%d of %d phones went on, %d of %d downloads after %d", l.moved, phones, l.refetched, fetchers, l.fetched)
	}
	if c, n := l.missing(t, one); c+n > 0 {
		t.Errorf("the survivor lacks %d contacts and %d extensions", c, n)
	}
	two.start()
	if c, n := l.missing(t, two); c+n > 0 {
		t.Errorf("after its restart the other lacks %d contacts and %d extensions", c, n)
	}
}
