package registrar

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/location"
)

func TestRegister(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			u := dialPhone(t, w, network, "101_line1")
			contact := `"A \"quoted\", name" <sip:101@10.0.0.7:5070;x-unknown=%41;ob?h=1>`
			answer := u.register(`m: `+contact+`; EXPIRES = 120 ;Q=0.5;+sip.instance="<urn:uuid:0004f2abcdef>";reg-id=1`,
				"Supported: outbound", "Path: <sip:edge.example;lr;ob>")
			if status(answer) != "200 OK" {
				t.Fatalf("got %q", answer)
			}
			echo := `<sip:101@10.0.0.7:5070;x-unknown=%41;ob?h=1>;Q=0.5;+sip.instance="<urn:uuid:0004f2abcdef>";reg-id=1;expires=120`
			for name, want := range map[string][]string{"Contact": {echo}, "Path": {"<sip:edge.example;lr;ob>"}, "Require": {"outbound"}, "Content-Length": {"0"}} {
				if d := cmp.Diff(want, header(answer, name)); d != "" {
					t.Errorf("%s: %s", name, d)
				}
			}
			if date, err := time.Parse(time.RFC1123, header(answer, "Date")[0]); err != nil || time.Since(date).Abs() > time.Minute {
				t.Errorf("date %v (%v)", date, err)
			}
			bs := w.bindings(t, "101")
			if len(bs) != 1 {
				t.Fatalf("bindings %+v", bs)
			}
			b := bs[0]
			if b.ExpiresAt.Sub(b.RefreshedAt) != 2*time.Minute || b.ID == "" {
				t.Errorf("id %q expires after %v", b.ID, b.ExpiresAt.Sub(b.RefreshedAt))
			}
			want := location.Binding{
				AOR: "101@pbx.dev", Contact: "sip:101@10.0.0.7:5070;x-unknown=%41;ob?h=1",
				Params:   `;Q=0.5;+sip.instance="<urn:uuid:0004f2abcdef>";reg-id=1`,
				Received: u.conn.LocalAddr().String(), Transport: network, Socket: u.conn.RemoteAddr().String(), Node: "n1", Boot: "b1",
				Path: []string{"<sip:edge.example;lr;ob>"}, CallID: u.callID, CSeq: 2, Instance: "urn:uuid:0004f2abcdef", RegID: 1,
				Q: 500, UserAgent: "test/1", AuthUser: "101_line1", Device: "line:101_line1",
			}
			ignore := cmpopts.IgnoreFields(location.Binding{}, "ID", "Flow", "RegisteredAt", "RefreshedAt", "ExpiresAt")
			if d := cmp.Diff(want, b, ignore); d != "" {
				t.Error(d)
			}
			if (b.Flow != "") != (network == "tcp") || !w.Alive(b) {
				t.Errorf("flow %q, alive %v", b.Flow, w.Alive(b))
			}
		})
	}
}

// step is one REGISTER and what has to come of it.
type step struct {
	headers  []string
	want     string   // status
	contacts []string // registered afterwards
}

func run(t *testing.T, w *world, u *uac, steps []step) {
	t.Helper()
	for i, s := range steps {
		if got := status(u.register(s.headers...)); got != s.want {
			t.Errorf("step %d %q: %s, want %s", i, s.headers, got, s.want)
		}
		if d := cmp.Diff(s.contacts, w.contacts(t, "101"), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("step %d %q: %s", i, s.headers, d)
		}
	}
}

func TestContacts(t *testing.T) {
	t.Parallel()
	a, b := "sip:101@10.0.0.1:5060", "sip:101@10.0.0.2"
	long := "<sip:" + strings.Repeat("x", 510) + "@10.0.0.1>"
	cases := map[string][]step{
		"two, refreshed, one removed": {
			{[]string{"Contact: <" + a + ">;expires=60, <" + b + ">"}, "200 OK", []string{a, b}},
			{[]string{"Contact: <sip:%3101@10.0.0.1:5060;foo=1>"}, "200 OK", []string{"sip:%3101@10.0.0.1:5060;foo=1", b}},
			{[]string{"Contact: <" + b + ">;expires=0"}, "200 OK", []string{"sip:%3101@10.0.0.1:5060;foo=1"}},
		},
		"query": {{nil, "200 OK", nil}},
		"one twice": {
			{[]string{"Contact: <" + a + ">, <" + b + ">", "Contact: <" + a + ">;q=0.5"}, "200 OK", []string{a, b}},
		},
		"all or nothing": {
			{[]string{"Contact: <" + a + ">, <tel:101>"}, "400 Bad Contact Header", nil},
			{[]string{"Contact: <" + a + ">, <" + b + ">;expires=5"}, "423 Interval Too Brief", nil},
		},
		"wildcard": {
			{[]string{"Contact: <" + a + ">, <" + b + ">"}, "200 OK", []string{a, b}},
			{[]string{"Contact: *", "Expires: 60"}, "400 Bad Contact Wildcard", []string{a, b}},
			{[]string{"Contact: *"}, "400 Bad Contact Wildcard", []string{a, b}},
			{[]string{"Contact: *, <" + a + ">", "Expires: 0"}, "400 Bad Contact Wildcard", []string{a, b}},
			{[]string{"Contact: <" + a + ">", "Contact: *", "Expires: 0"}, "400 Bad Contact Wildcard", []string{a, b}},
			{[]string{"Contact: *", "Expires: 0"}, "200 OK", nil},
		},
		"instance moves": {
			{[]string{"Contact: <" + a + `>;+sip.instance="<urn:x>"`}, "200 OK", []string{a}},
			{[]string{"Contact: <" + b + `>;+sip.instance="<urn:x>"`}, "200 OK", []string{b}},
			{[]string{"Contact: <" + a + `>;+sip.instance="<urn:y>"`}, "200 OK", []string{a, b}},
			{[]string{"Contact: <" + b + ">;expires=0"}, "200 OK", []string{a}}, // names no instance
		},
		"reg-id": {
			{[]string{"Contact: <" + a + `>;+sip.instance="<urn:x>";reg-id=1`}, "200 OK", []string{a}},
			{[]string{"Contact: <" + b + `>;+sip.instance="<urn:x>";reg-id=2`}, "200 OK", []string{a, b}},
			{[]string{"Contact: <" + a + `>;+sip.instance="<urn:x>";reg-id=1, <` + b + `>;+sip.instance="<urn:x>";reg-id=2`}, "400 More Than One reg-id", []string{a, b}},
		},
		"refused": {
			{[]string{"Contact: " + long}, "400 Contact Header Too Long", nil},
			{[]string{"Contact: " + strings.Repeat("<"+a+">,", 17)}, "400 Too Many Contacts", nil},
			{[]string{"Contact: <" + a}, "400 Bad Contact Header", nil},
			{[]string{"Contact: <mailto:a@b.c>"}, "400 Bad Contact Header", nil},
			{[]string{"Contact: sip:101@10.0.0.1?x=y"}, "400 Bad Contact Header", nil},
			{[]string{"Contact: <" + a + ">", "Path: nonsense"}, "400 Bad Path Header", nil},
			{[]string{"Contact: <" + a + ">", "Path: " + strings.Repeat("<sip:p>,", 9)}, "400 Path Header Too Long", nil},
		},
		"q, expires and the like in odd forms": {
			{[]string{"Contact: " + a + ";q=7;expires=99999999999;reg-id=1;;"}, "200 OK", []string{a}},
		},
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			run(t, w, dialPhone(t, w, "udp", "101_a1b2c3"), steps)
		})
	}
}

func TestContactOfOurOwn(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	_, port, _ := strings.Cut(w.udp, ":")
	u := dialPhone(t, w, "udp", "101_a1b2c3")
	for _, host := range []string{"127.0.0.1", "pbx.dev", "SIP.pbx.dev"} {
		if got := status(u.register("Contact: <sip:101@" + host + ":" + port + ">")); got != "403 Contact Is This Server" {
			t.Errorf("%s: %s", host, got)
		}
	}
	if got := status(u.register("Contact: <sip:101@127.0.0.1:1>")); got != "200 OK" {
		t.Errorf("another port: %s", got)
	}
}

func TestExpires(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for i, c := range []struct {
		headers []string
		want    string
	}{
		{[]string{"Contact: <sip:1@h>"}, "3600"},
		{[]string{"Contact: <sip:1@h>", "Expires: 300"}, "300"},
		{[]string{"Contact: <sip:1@h>;expires=400", "Expires: 300"}, "400"},
		{[]string{"Contact: <sip:1@h>;expires=abc", "Expires: 300"}, "3600"},
		{[]string{"Contact: <sip:1@h>", "Expires: -1"}, "3600"},
		{[]string{"Contact: <sip:1@h>;expires=86400"}, "7200"},
		{[]string{"Contact: <sip:1@h>;expires=4294967296000"}, "7200"},
		{[]string{"Contact: <sip:1@h>;expires=60"}, "60"},
	} {
		u := dialPhone(t, w, "udp", "101_a1b2c3")
		contacts := header(u.register(c.headers...), "Contact")
		if len(contacts) != 1 || !strings.HasSuffix(contacts[0], ";expires="+c.want) {
			t.Errorf("case %d %q: %q, want %s", i, c.headers, contacts, c.want)
		}
	}
	u := dialPhone(t, w, "udp", "101_a1b2c3")
	answer := u.register("Contact: <sip:1@h>;expires=59")
	if d := cmp.Diff([]string{"60"}, header(answer, "Min-Expires")); d != "" || status(answer) != "423 Interval Too Brief" {
		t.Errorf("%s %s", status(answer), d)
	}
}

func TestAnswerListsOwnContactFirst(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for i := range 3 {
		u := dialPhone(t, w, "udp", "101_a1b2c3")
		q := fmt.Sprintf("0.%d", 9-i) // so that the store lists it last
		contacts := header(u.register(fmt.Sprintf("Contact: <sip:101@10.0.0.%d>;q=%s", i, q)), "Contact")
		if len(contacts) != i+1 || !strings.HasPrefix(contacts[0], fmt.Sprintf("<sip:101@10.0.0.%d>", i)) {
			t.Errorf("phone %d got %q", i, contacts)
		}
	}
	if got := header(dialPhone(t, w, "udp", "101_a1b2c3").register(), "Contact"); len(got) != 3 {
		t.Errorf("query got %q", got)
	}
}

func TestWhoMayRegisterWhat(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for _, c := range []struct{ user, pass, to, uri, want string }{
		{"101_a1b2c3", "pw-101_a1b2c3", "<sip:101@pbx.dev>", "sip:pbx.dev", "200 OK"},
		{"101_a1b2c3", "pw-101_a1b2c3", "<sip:101_a1b2c3@SIP.PBX.DEV>", "sip:sip.pbx.dev;transport=udp", "200 OK"},
		{"101_a1b2c3", "pw-101_a1b2c3", "<sip:%3101:x@127.0.0.1:5060;user=phone>", "sip:127.0.0.1:5060", "200 OK"},
		{"101_line1", "pw-101_line1", "<sip:101_a1b2c3@pbx.dev>", "sip:pbx.dev", "200 OK"},
		{"101_line1", "pw-101_line1", "<sip:101_line2@pbx.dev>", "sip:pbx.dev", "200 OK"},
		{"101_a1b2c3", "pw-101_a1b2c3", "<sip:102@pbx.dev>", "sip:pbx.dev", "403 Forbidden"},
		{"101_a1b2c3", "pw-101_a1b2c3", "<sip:102_d4e5f6@pbx.dev>", "sip:pbx.dev", "403 Forbidden"},
		{"101_a1b2c3", "pw-101_a1b2c3", "<sip:999@pbx.dev>", "sip:pbx.dev", "403 Forbidden"},
		{"101_a1b2c3", "pw-101_a1b2c3", "<sip:broken@pbx.dev>", "sip:pbx.dev", "503 Service Unavailable"},
		{"101_a1b2c3", "pw-101_a1b2c3", "<sip:101@elsewhere.example>", "sip:pbx.dev", "404 Domain Not Served Here"},
		{"101_a1b2c3", "pw-101_a1b2c3", "<tel:101>", "sip:pbx.dev", "400 Bad To Header"},
		{"101_a1b2c3", "pw-101_a1b2c3", "<sip:101@pbx.dev>", "sip:elsewhere.example", "404 Domain Not Served Here"},
		{"101_a1b2c3", "pw-101_a1b2c3", "<sip:101@pbx.dev>", "sip:192.0.2.77", "404 Domain Not Served Here"},
		{"101_a1b2c3", "pw-101_a1b2c3", "<sip:101@pbx.dev>", "nobodyknows:pbx.dev", "416 Unsupported URI Scheme"},
		{"101_a1b2c3", "wrong", "<sip:101@pbx.dev>", "sip:pbx.dev", "401 Unauthorized"},
		{"999_nobody", "pw-999_nobody", "<sip:999@pbx.dev>", "sip:pbx.dev", "401 Unauthorized"},
	} {
		u := dialPhone(t, w, "udp", c.user)
		u.pass, u.to, u.uri = c.pass, c.to, c.uri
		answer := u.register("Contact: <sip:x@10.0.0.1>")
		if status(answer) != c.want {
			t.Errorf("%+v: %s", c, status(answer))
		}
	}
	for _, b := range append(w.bindings(t, "102"), w.bindings(t, "999")...) {
		t.Errorf("a foreign binding: %+v", b)
	}
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	u := dialPhone(t, w, "udp", "101_a1b2c3")
	offers := header(u.exchange("REGISTER", nil), "WWW-Authenticate")
	if len(offers) != 2 || !strings.Contains(offers[0], "algorithm=MD5,") || !strings.Contains(offers[1], "algorithm=SHA-256,") {
		t.Errorf("offers %q", offers)
	}
	// A right password on a nonce that was never given out.
	u.nonce = "forged"
	u.authorize()
	answer := u.exchange("REGISTER", nil)
	if offers = header(answer, "WWW-Authenticate"); status(answer) != "401 Unauthorized" || !strings.HasSuffix(offers[0], "stale=true") {
		t.Errorf("%s %q", status(answer), offers)
	}
	if got := status(u.register("Contact: <sip:101@h>")); got != "200 OK" {
		t.Error(got)
	}
	u.auth = "Authorization: Digest x"
	if got := status(u.exchange("REGISTER", nil)); got != "400 Bad Authorization Header" {
		t.Error(got)
	}
	u.auth = "Authorization: NoOneKnowsThisScheme opaque-data=here"
	if got := status(u.exchange("REGISTER", nil)); got != "401 Unauthorized" {
		t.Error(got)
	}
	b := dialPhone(t, w, "udp", "broken")
	answer = b.register("Contact: <sip:101@h>")
	if status(answer) != "503 Service Unavailable" || len(header(answer, "Retry-After")) != 1 {
		t.Errorf("got %q", answer)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	u := dialPhone(t, w, "udp", "101_a1b2c3")
	first := u.exchange("REGISTER", nil)
	u.nonce = nonceOf.FindStringSubmatch(first)[1]
	u.authorize()
	text := u.text("REGISTER", []string{"Contact: <sip:101@10.0.0.1>"})
	for range 2 { // a retransmission is answered again
		if got := status(u.raw(text)); got != "200 OK" {
			t.Fatal(got)
		}
	}
	thief := dialPhone(t, w, "udp", "101_a1b2c3")
	stolen := strings.NewReplacer("10.0.0.1", "203.0.113.66", u.callID, "stolen", "z9hG4bK2", "z9hG4bKx").Replace(text)
	if got := status(thief.raw(stolen)); got != "401 Unauthorized" {
		t.Errorf("a replay got %s", got)
	}
	if d := cmp.Diff([]string{"sip:101@10.0.0.1"}, w.contacts(t, "101")); d != "" {
		t.Error(d)
	}
}

func TestCSeqOutOfOrder(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	u := dialPhone(t, w, "udp", "101_a1b2c3")
	u.cseq = 100
	run(t, w, u, []step{{[]string{"Contact: <sip:101@a>"}, "200 OK", []string{"sip:101@a"}}})
	u.cseq = 10
	run(t, w, u, []step{{[]string{"Contact: <sip:101@a>;expires=0"}, "500 CSeq Out Of Order", []string{"sip:101@a"}}})
	u.callID = "after-reboot"
	run(t, w, u, []step{{[]string{"Contact: <sip:101@a>;expires=0"}, "200 OK", nil}})
}

func TestExtensions(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	u := dialPhone(t, w, "udp", "101_a1b2c3")
	answer := u.register("Require: path, nothingSupportsThis, foo", "Contact: <sip:101@h>")
	if d := cmp.Diff([]string{"nothingSupportsThis, foo"}, header(answer, "Unsupported")); d != "" || status(answer) != "420 Bad Extension" {
		t.Errorf("%s %s", status(answer), d)
	}
	// Option tags are tokens, which have no case (RFC 3261 section 7.3.1).
	if got := status(u.register("Require: Path, OUTBOUND", "Contact: <sip:101@h>")); got != "200 OK" {
		t.Error(got)
	}
	if got := header(u.register("Supported: path", `Contact: <sip:101@h>;+sip.instance="<urn:x>";reg-id=1`), "Require"); got != nil {
		t.Errorf("outbound was applied unasked: %q", got)
	}
}

func TestWildcardOfALineSparesOthers(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	one, two, own := dialPhone(t, w, "udp", "101_line1"), dialPhone(t, w, "udp", "101_line2"), dialPhone(t, w, "udp", "101_a1b2c3")
	one.register("Contact: <sip:1@h>")
	two.register("Contact: <sip:2@h>")
	run(t, w, one, []step{{[]string{"Contact: *", "Expires: 0"}, "200 OK", []string{"sip:2@h"}}})
	run(t, w, own, []step{{[]string{"Contact: *", "Expires: 0"}, "200 OK", nil}})
}

// TestStrictWildcard: with StrictUnregister any user's "*" removes all, as RFC 3261 says.
func TestStrictWildcard(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *Options) { o.StrictUnregister = true })
	one, two := dialPhone(t, w, "udp", "101_line1"), dialPhone(t, w, "udp", "101_line2")
	one.register("Contact: <sip:1@h>")
	two.register("Contact: <sip:2@h>")
	run(t, w, one, []step{{[]string{"Contact: *", "Expires: 0"}, "200 OK", nil}})
}

func TestMaxContacts(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *Options) { o.MaxContacts = 2 })
	for i := range 2 {
		u := dialPhone(t, w, "udp", "101_a1b2c3")
		u.register(fmt.Sprintf("Contact: <sip:%d@h>", i))
	}
	u := dialPhone(t, w, "udp", "101_a1b2c3")
	run(t, w, u, []step{
		{[]string{"Contact: <sip:2@h>"}, "403 Too Many Contacts", []string{"sip:0@h", "sip:1@h"}},
		{[]string{"Contact: <sip:1@h>"}, "200 OK", []string{"sip:0@h", "sip:1@h"}},
	})
}

func TestStoreFailures(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"503 Service Unavailable":   fmt.Errorf("apply: %w", location.ErrUnavailable),
		"500 Server Internal Error": errors.New("surprise"),
	} {
		w := start(t, func(o *Options) { o.Store = broken{err: err} })
		u := dialPhone(t, w, "udp", "101_a1b2c3")
		for _, headers := range [][]string{{"Contact: <sip:101@h>"}, nil, {"Contact: <sip:101@h>;expires=0"}} {
			if got := status(u.register(headers...)); got != want {
				t.Errorf("%q: %s, want %s", headers, got, want)
			}
		}
	}
}

func TestGuessingPasswordsIsBarred(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	thief := dialPhone(t, w, "udp", "101_a1b2c3")
	thief.pass = "guess"
	for range failureBurst {
		thief.nonce = ""
		if got := status(thief.register()); got != "401 Unauthorized" {
			t.Fatal(got)
		}
	}
	thief.pass = "pw-101_a1b2c3" // found, but too late
	thief.authorize()
	if _, err := thief.conn.Write([]byte(thief.text("REGISTER", nil))); err != nil {
		t.Fatal(err)
	}
	other := dialPhone(t, w, "udp", "102_d4e5f6") // behind the same address
	if got := status(other.register("Contact: <sip:102@h>")); got != "200 OK" {
		t.Errorf("another user of the address got %s", got)
	}
	if got := status(thief.exchange("OPTIONS", nil)); got != "200 OK" {
		t.Errorf("the barred REGISTER got %s", got)
	}
	denials := 0
	for _, e := range w.events() {
		if e.Kind == phone.EventAuthFailed && e.Outcome == "denied" {
			denials++
		}
	}
	if denials != failureBurst {
		t.Errorf("%d failures recorded, want %d", denials, failureBurst)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var ticks atomic.Int64 // a refresh is later than the registration
	store, err := location.NewMemory(location.MemoryOptions{Now: func() time.Time { return now.Add(time.Duration(ticks.Add(1)) * time.Millisecond) }})
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, func(o *Options) { o.Now, o.Store = func() time.Time { return now }, store })
	t.Cleanup(func() { store.Close() })
	u := dialPhone(t, w, "udp", "101_line1")
	for _, contact := range []string{"<sip:1@h>", "<sip:1@h>;expires=60", "<sip:1@h>;expires=0"} {
		u.register("Contact: " + contact)
	}
	u.pass, u.nonce = "wrong", ""
	u.register()
	event := phone.Event{At: now, DeviceID: "phone_101_line1", Proto: "udp", Outcome: "ok", Status: 200, UserAgent: "test/1", Source: u.conn.LocalAddr().String()}
	added, removed, failed := event, event, event
	added.Kind, added.Path, added.Detail = phone.EventRegister, "sip:1@h", "registered as 101@pbx.dev"
	removed.Kind, removed.Path = phone.EventUnregister, "sip:1@h"
	failed.Kind, failed.Outcome, failed.Status, failed.Detail = phone.EventAuthFailed, "denied", 401, `wrong password of the user "101_line1"`
	if d := cmp.Diff([]phone.Event{added, removed, failed}, w.events(), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	u := dialPhone(t, w, "tcp", "101_a1b2c3")
	answer := u.exchange("OPTIONS", nil)
	for _, name := range []string{"Allow", "Accept", "Supported"} {
		if len(header(answer, name)) != 1 {
			t.Errorf("OPTIONS answer %q lacks %s", answer, name)
		}
	}
	for _, method := range []string{"INVITE", "SUBSCRIBE", "NEWMETHOD"} {
		if got := u.exchange(method, nil); status(got) != "405 Method Not Allowed" || len(header(got, "Allow")) != 1 {
			t.Errorf("%s got %q", method, got)
		}
	}
}

func TestManyPhonesOfOneExtension(t *testing.T) {
	t.Parallel()
	const phones = 50
	w := start(t, func(o *Options) { o.MaxContacts = phones })
	var all sync.WaitGroup
	for i := range phones {
		u := dialPhone(t, w, []string{"udp", "tcp"}[i%2], "101_a1b2c3")
		all.Go(func() {
			if got := status(u.register(fmt.Sprintf("Contact: <sip:%d@h>", i))); got != "200 OK" {
				t.Error(got)
			}
		})
	}
	all.Wait()
	if n := len(w.bindings(t, "101")); n != phones {
		t.Errorf("%d bindings, want %d", n, phones)
	}
}

func TestClosedConnectionIsNotAlive(t *testing.T) {
	t.Parallel()
	gone := make(chan edge.Flow, 1)
	w := start(t, func(o *Options) { o.Closed = func(f edge.Flow) { gone <- f } })
	u := dialPhone(t, w, "tcp", "101_a1b2c3")
	u.register("Contact: <sip:101@h;transport=tcp>")
	b := w.bindings(t, "101")[0]
	elsewhere := b
	elsewhere.Boot = "b0"
	if !w.Alive(b) || w.Alive(elsewhere) {
		t.Errorf("alive %v, of another run %v", w.Alive(b), w.Alive(elsewhere))
	}
	u.conn.Close()
	select {
	case f := <-gone:
		if f.ID != b.Flow || w.Alive(b) {
			t.Errorf("closed flow %+v, binding's %q, alive %v", f, b.Flow, w.Alive(b))
		}
	case <-time.After(patience):
		t.Fatal("the end of the connection was not told")
	}
}

// TestMutations sends broken copies of a good REGISTER: whatever comes back is a
// response, and the server lives.
func TestMutations(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	u := dialPhone(t, w, "udp", "101_a1b2c3")
	u.register("Contact: <sip:101@h>")
	u.authorize()
	good := u.text("REGISTER", []string{`Contact: "x" <sip:101@h;ob>;+sip.instance="<urn:x>"`, "Path: <sip:p;lr>", "Supported: outbound"})
	random := rand.New(rand.NewPCG(1, 2))
	bytes := []byte("\x00\r\n<>\";,:@%?*= \xffz0")
	for range 2000 {
		b := []byte(good)
		for range 1 + random.IntN(4) {
			switch i := random.IntN(len(b)); random.IntN(3) {
			case 0:
				b[i] = bytes[random.IntN(len(bytes))]
			case 1:
				b = append(b[:i], b[min(len(b), i+1+random.IntN(10)):]...)
			default:
				b = append(b[:i:i], append([]byte{bytes[random.IntN(len(bytes))]}, b[i:]...)...)
			}
		}
		if _, err := u.conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	last := dialPhone(t, w, "udp", "102_d4e5f6")
	if got := status(last.register("Contact: <sip:102@h>")); got != "200 OK" {
		t.Fatal(got)
	}
	if err := u.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for buf := make([]byte, 64<<10); ; {
		n, err := u.conn.Read(buf)
		if err != nil {
			var timeout net.Error
			if !errors.As(err, &timeout) {
				t.Fatal(err)
			}
			break
		}
		if !strings.HasPrefix(string(buf[:n]), "SIP/2.0 ") || strings.HasPrefix(string(buf[:n]), "SIP/2.0 5") && !strings.HasPrefix(string(buf[:n]), "SIP/2.0 50") {
			t.Errorf("answer %q", buf[:n])
		}
	}
}

func TestNewRefusesUnusableOptions(t *testing.T) {
	t.Parallel()
	good := Options{Domain: "pbx.dev", Directory: directory{}, Store: broken{}}
	for name, change := range map[string]func(*Options){
		"domain":    func(o *Options) { o.Domain = "" },
		"directory": func(o *Options) { o.Directory = nil },
		"store":     func(o *Options) { o.Store = nil },
		"expires":   func(o *Options) { o.MinExpires = 3 * time.Hour },
		"key":       func(o *Options) { o.NonceKey = []byte("short") },
	} {
		opts := good
		change(&opts)
		if _, err := New(opts); !errors.Is(err, phone.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(context.Background(), nil); err == nil {
		t.Error("served without listeners")
	}
}
