package proxy

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/testkit"
	"pbx.dev/dialtone/registrar/location"
)

// told is what Notify returned.
type told struct {
	status int
	err    error
}

// tell sends a check-sync in the background.
func (s *site) tell(ctx context.Context, b location.Binding, event string) chan told {
	done := make(chan told, 1)
	go func() {
		status, err := s.proxy.Notify(ctx, b, Notice{Event: event})
		done <- told{status, err}
	}()
	return done
}

// notified waits for the event of the timeline.
func (s *site) notified() phone.Event {
	s.t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case e := <-s.events:
			if e.Kind == phone.EventNotify {
				return e
			}
		case <-deadline:
			s.t.Fatal("no event of the NOTIFY")
		}
	}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for _, u := range []*ua{newUDP(t, s), newTCP(t, s.tcp, "tcp"), newTCPAsWS(t, s)} {
		for _, code := range []int{200, 481, 401} {
			s.bind("102", u, nil)
			s.mu.Lock()
			b := s.bindings["102"][0]
			s.bindings["102"] = nil
			s.mu.Unlock()
			done := s.tell(t.Context(), b, "check-sync;reboot=false")
			req := u.request(sip.NOTIFY)
			if got := req.Recipient.String(); got != b.Contact {
				t.Errorf("Request-URI %s, want %s", got, b.Contact)
			}
			for name, want := range map[string]string{
				"Event": "check-sync;reboot=false", "Subscription-State": "terminated;reason=noresource", "Content-Length": "0",
			} {
				if h := req.GetHeader(name); h == nil || h.Value() != want {
					t.Errorf("%s: %v, want %s", name, h, want)
				}
			}
			if to, from := req.To().Address.String(), req.From().Address.String(); to != "sip:102@"+testDomain || from != to {
				t.Errorf("To %s, From %s", to, from)
			}
			if via := req.Via().Transport; !strings.EqualFold(via, u.transport) {
				t.Errorf("Via says %s over %s", via, u.transport)
			}
			u.respond(req, 100)
			u.respond(req, code)
			if got := <-done; got.err != nil || got.status != code {
				t.Errorf("%s: %+v, want %d", u.transport, got, code)
			}
			want := map[int]string{200: "ok", 481: "refused", 401: "refused"}[code]
			if e := s.notified(); e.Outcome != want || e.Status != code || e.DeviceID != "phone_of102" || e.Proto != u.transport {
				t.Errorf("event %+v, want %s", e, want)
			}
		}
	}
}

func newTCPAsWS(t *testing.T, s *site) *ua { return newTCP(t, s.ws, "ws") }

// TestNotifyUnanswered: a phone that is silent, and one whose connection is gone.
func TestNotifyUnanswered(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	u := newUDP(t, s)
	b := contactOf(u)
	ctx, cancel := context.WithCancel(t.Context())
	done := s.tell(ctx, b, "check-sync")
	u.request(sip.NOTIFY)
	cancel()
	if got := <-done; !errors.Is(got.err, ErrSilent) {
		t.Errorf("%+v, want ErrSilent", got)
	}
	if e := s.notified(); e.Outcome != "no-answer" {
		t.Errorf("event %+v", e)
	}
	c := newTCP(t, s.tcp, "tcp")
	gone := contactOf(c)
	check(t, c.close())
	until(t, "the connection is gone", func() bool {
		_, err := s.proxy.stacks["tcp"].connection(c.addr())
		return err != nil
	})
	if got := <-s.tell(t.Context(), gone, "check-sync"); !errors.Is(got.err, ErrFlowGone) {
		t.Errorf("%+v, want ErrFlowGone", got)
	}
	if e := s.notified(); e.Outcome != "unreachable" {
		t.Errorf("event %+v", e)
	}
	if _, err := s.proxy.Notify(t.Context(), location.Binding{Contact: "sip:x@y", Transport: "carrier-pigeon"}, Notice{Event: "x"}); err == nil {
		t.Error("a transport that does not exist was taken")
	}
}

// TestNotifySipp: the phone is sipp.
func TestNotifySipp(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "sipp")
	s := newSite(t, nil)
	port := testkit.FreePort(t)
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	wait := sipp(t, "uas_notify", port)
	status, err := s.proxy.Notify(t.Context(), location.Binding{
		Contact: "sip:102@" + addr, Received: addr, Transport: "udp", AOR: "102@" + testDomain,
	}, Notice{Event: "check-sync;reboot=true"})
	if err != nil || status != 200 {
		t.Errorf("%d, %v", status, err)
	}
	wait()
}
