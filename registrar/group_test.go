package registrar

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// TestEveryPhoneGetsItsOwnAnswer: requests that are received, committed and answered
// together are answered each to where it came from, once, with its own Call-ID, CSeq
// and contact, and every one that was answered is in the store.
func TestEveryPhoneGetsItsOwnAnswer(t *testing.T) {
	t.Parallel()
	const phones, rounds = 60, 15
	w := start(t, nil)
	var all sync.WaitGroup
	uacs := make([]*uac, phones)
	for i := range phones {
		u := dialPhone(t, w, "udp", fmt.Sprint(5000+i))
		u.to = "<sip:" + u.user + "@pbx.dev>"
		uacs[i] = u
		all.Go(func() {
			contact := fmt.Sprintf("<sip:%s@%s>", u.user, u.conn.LocalAddr())
			for range rounds {
				answer := u.register("Contact: " + contact)
				got := []string{status(answer), strings.Join(header(answer, "Call-ID"), ","), strings.Join(header(answer, "CSeq"), ","), strings.Join(header(answer, "Contact"), ",")}
				want := []string{"200 OK", u.callID, fmt.Sprintf("%d REGISTER", u.cseq), contact + ";expires=3600"}
				for j := range want {
					if got[j] != want[j] {
						t.Errorf("phone %s got %q, want %q", u.user, got[j], want[j])
					}
				}
			}
		})
	}
	all.Wait()
	for _, u := range uacs {
		bs := w.bindings(t, u.user)
		if len(bs) != 1 || int(bs[0].CSeq) != u.cseq {
			t.Errorf("%s: %+v, want one with cseq %d", u.user, bs, u.cseq)
		}
		// What else was sent to this phone came before the answer to this.
		if got := u.exchange("OPTIONS", nil); header(got, "CSeq")[0] != fmt.Sprintf("%d OPTIONS", u.cseq) {
			t.Errorf("%s was answered twice: %s", u.user, got)
		}
	}
}

// failing is a store whose outcomes fail, as a group.
type failing struct {
	location.Store
	err error
}

func (f failing) Submit(updates []location.Update, done func([]location.Outcome)) {
	outs := make([]location.Outcome, len(updates))
	for i := range outs {
		outs[i].Err = f.err
	}
	done(outs)
}

// TestGroupThatFails: each request of a group is told.
func TestGroupThatFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want string
	}{
		{location.ErrUnavailable, "503 Service Unavailable"},
		{location.ErrStale, "500 CSeq Out Of Order"},
		{errors.New("bug"), "500 Server Internal Error"},
	} {
		w := start(t, func(o *Options) { o.Store = failing{o.Store, test.err} })
		for range 3 {
			if got := status(dialPhone(t, w, "udp", "101_a1b2c3").register("Contact: <sip:a@h>")); got != test.want {
				t.Errorf("%v: %s, want %s", test.err, got, test.want)
			}
		}
	}
}

// panicking is a store that panics in the middle of a group, once.
type panicking struct {
	location.Store
	once *sync.Once
}

func (p panicking) Submit(updates []location.Update, done func([]location.Outcome)) {
	p.once.Do(func() { panic("test") })
	p.Store.(location.Submitter).Submit(updates, done)
}

// TestPanicCostsOneGroup: what it has taken is not answered; the phone repeats itself.
func TestPanicCostsOneGroup(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *Options) { o.Store = panicking{o.Store, new(sync.Once)} })
	u := dialPhone(t, w, "udp", "101_a1b2c3")
	answer := u.exchange("REGISTER", []string{"Contact: <sip:a@h>"})
	u.nonce = nonceOf.FindStringSubmatch(answer)[1]
	u.authorize()
	text := u.text("REGISTER", []string{"Contact: <sip:a@h>"})
	buf := make([]byte, 64<<10)
	for end := time.Now().Add(patience); ; {
		if _, err := u.conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := u.conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := u.conn.Read(buf)
		if err == nil {
			if got := status(string(buf[:n])); got != "200 OK" {
				t.Errorf("after the panic: %s", got)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("no answer after the panic")
		}
	}
}

// TestRoomIsMadeForOneOfAGroup: a request that has to wait for something leaves its
// group and is answered all the same.
func TestRoomIsMadeForOneOfAGroup(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *Options) {
		o.MaxContacts = 1
		o.Unreachable = func(b location.Binding) bool { return strings.Contains(b.Contact, "old") }
	})
	if got := status(dialPhone(t, w, "udp", "101_line1").register("Contact: <sip:old@h>")); got != "200 OK" {
		t.Fatal(got)
	}
	if got := status(dialPhone(t, w, "udp", "101_line2").register("Contact: <sip:new@h>")); got != "200 OK" {
		t.Errorf("with an unreachable contact in the way: %s", got)
	}
	if got := status(dialPhone(t, w, "udp", "101_line1").register("Contact: <sip:third@h>")); got != "403 Too Many Contacts" {
		t.Errorf("with a reachable contact in the way: %s", got)
	}
	if got := w.contacts(t, "101"); len(got) != 1 || got[0] != "sip:new@h" {
		t.Errorf("contacts %q", got)
	}
}
