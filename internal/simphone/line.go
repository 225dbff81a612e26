package simphone

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// line is one registered account on its link.
type line struct {
	phone   *Phone
	account account
	link    *link
	callID  string
	fromTag string
	cseq    int
	auth    *challenge // the last one, for the next request
}

// errBroken is a link that ended under a registered line.
var errBroken = errors.New("connection lost")

// runLine registers a and keeps it so until ctx ends, then unregisters.
func (p *Phone) runLine(ctx context.Context, a account) error {
	l, err := p.dial(ctx, a)
	if err != nil {
		return fmt.Errorf("line %d: %w", a.line, err)
	}
	defer l.conn.Close()
	ln := &line{phone: p, account: a, link: l, callID: rand.Text(), fromTag: rand.Text()[:10]}
	broken := make(chan error, 1)
	go func() { broken <- l.serve(ln.handle) }()
	if a.expires == 0 {
		a.expires = 3600
	}
	for {
		expires, err := ln.register(ctx, strconv.Itoa(a.expires))
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("line %d: register %s: %w", a.line, a.user, err)
		}
		p.step("register", "line %d: %s@%s 200, expires %d s", a.line, a.user, a.host, expires)
		if p.opts.Registered != nil {
			p.opts.Registered()
		}
		refresh := time.NewTimer(time.Duration(max(expires/2, 1)) * time.Second)
		select {
		case <-refresh.C:
		case err := <-broken:
			refresh.Stop()
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("line %d: %w: %w", a.line, errBroken, err)
		case <-ctx.Done():
			refresh.Stop()
			if p.opts.Abrupt {
				return nil
			}
			return ln.unregister()
		}
	}
}

// unregister removes the phone's own contact; it must not take long.
func (ln *line) unregister() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := ln.register(ctx, "0"); err != nil {
		ln.phone.step("register", "line %d: could not unregister: %v", ln.account.line, err)
		return nil
	}
	ln.phone.step("register", "line %d: unregistered", ln.account.line)
	return nil
}

// register does one REGISTER, answering one challenge, and returns the granted
// Expires of its own contact in seconds.
func (ln *line) register(ctx context.Context, expires string) (int, error) {
	if expires == "0" && ln.auth == nil && ln.cseq == 0 {
		return 0, errors.New("never registered")
	}
	answered := false // a challenge to this very request
	for range 4 {
		branch := "z9hG4bK" + rand.Text()[:16]
		res, err := ln.link.request(ctx, branch, ln.registerText(branch, expires))
		if err != nil {
			return 0, err
		}
		switch res.StatusCode {
		case 200:
			return ln.granted(res), nil
		case 401:
			c := understood(res)
			if c == nil {
				return 0, errors.New("401 without a challenge that the phone understands")
			}
			if answered && !c.stale {
				return 0, errors.New("401 again: the password is wrong")
			}
			ln.auth, answered = c, true
		case 423:
			h := res.GetHeader("Min-Expires")
			if h == nil {
				return 0, errors.New("423 without Min-Expires")
			}
			expires = strings.TrimSpace(h.Value())
		case 503:
			busy := &busyError{what: "503 " + res.Reason}
			if h := res.GetHeader("Retry-After"); h != nil {
				busy.after = retryAfter(h.Value())
			}
			return 0, busy
		default:
			return 0, fmt.Errorf("%d %s", res.StatusCode, res.Reason)
		}
	}
	return 0, errors.New("challenged again and again")
}

// understood returns the first challenge that the phone can answer, or nil.
func understood(res *sip.Response) *challenge {
	for _, h := range res.GetHeaders("WWW-Authenticate") {
		if c, ok := parseChallenge(h.Value()); ok {
			return c
		}
	}
	return nil
}

func (ln *line) contact() string {
	return fmt.Sprintf("<sip:%s@%s;transport=%s>", ln.account.user, ln.link.conn.LocalAddr(), ln.link.transport)
}

func (ln *line) registerText(branch, expires string) string {
	a := ln.account
	ln.cseq++
	uri := "sip:" + a.host
	var b strings.Builder
	fmt.Fprintf(&b, "REGISTER %s SIP/2.0\r\n", uri)
	fmt.Fprintf(&b, "Via: SIP/2.0/%s %s;branch=%s;rport\r\n", strings.ToUpper(ln.link.transport), ln.link.conn.LocalAddr(), branch)
	fmt.Fprintf(&b, "Max-Forwards: 70\r\n")
	fmt.Fprintf(&b, "From: %s <sip:%s@%s>;tag=%s\r\n", quote(a.display), a.user, a.host, ln.fromTag)
	fmt.Fprintf(&b, "To: %s <sip:%s@%s>\r\n", quote(a.display), a.user, a.host)
	fmt.Fprintf(&b, "Call-ID: %s\r\nCSeq: %d REGISTER\r\n", ln.callID, ln.cseq)
	fmt.Fprintf(&b, "Contact: %s;expires=%s\r\n", ln.contact(), expires)
	if ln.auth != nil {
		fmt.Fprintf(&b, "Authorization: %s\r\n", ln.auth.answer("REGISTER", uri, a.auth, a.password.Reveal()))
	}
	fmt.Fprintf(&b, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY\r\nUser-Agent: %s\r\n", ln.phone.vendor.sipAgent(ln.phone.opts))
	fmt.Fprintf(&b, "Content-Length: 0\r\n\r\n")
	return b.String()
}

// granted finds the phone's own contact in a 200 by its user and port.
func (ln *line) granted(res *sip.Response) int {
	own := strings.Trim(ln.contact(), "<>")
	for _, h := range res.GetHeaders("Contact") {
		uri, args, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(h.Value()), "<"), ">")
		if uri != own {
			continue
		}
		for arg := range strings.SplitSeq(args, ";") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(arg), "expires="); ok {
				return number(v)
			}
		}
	}
	return 0
}

func quote(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
