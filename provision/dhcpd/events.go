package dhcpd

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"pbx.dev/dialtone/internal/phone"
)

// Events are bounded per phone, so that one in a loop does not fill its
// timeline, and overall, so that forged MACs do not fill the store.
const (
	eventsPerPhone   = rate.Limit(0.5) // a second
	eventsPhoneBurst = 8
	eventsOverall    = rate.Limit(200)
	eventsBurst      = 2000
	phonesPerWorker  = 512
	// Offers that were made are told apart in quiet times only: in a storm the
	// REQUEST that follows says the same.
	offersOverall = rate.Limit(50)
	offersBurst   = 500
)

// eventLimiter belongs to one worker, which sees all packets of its phones.
type eventLimiter map[phone.MAC]*rate.Limiter

func (l eventLimiter) allow(mac phone.MAC, now time.Time) bool {
	lim := l[mac]
	if lim == nil {
		if len(l) >= phonesPerWorker {
			clear(l) // forgetting is cheaper than keeping order, and grants one burst more
		}
		lim = rate.NewLimiter(eventsPerPhone, eventsPhoneBurst)
		l[mac] = lim
	}
	return lim.AllowN(now, 1)
}

// event is the timeline entry of a phone's request.
func event(res *result, took time.Duration, now time.Time) phone.Event {
	ev := phone.Event{
		At: now, Kind: phone.EventDHCP, MAC: res.req.mac, Proto: "dhcp", Path: res.req.typ.String(),
		Outcome: res.plan.outcome, Bytes: int64(len(res.reply)), Millis: took.Milliseconds(), UserAgent: res.id.class,
		Detail: detail(res),
	}
	for _, a := range []netip.Addr{res.req.ciaddr, res.plan.yiaddr, res.req.peer.Addr()} { // the phone's address, else the relay's
		if a.IsValid() && !a.IsUnspecified() {
			ev.Source = a.String()
			break
		}
	}
	return ev
}

// onNetwork puts an event of the network, not of a phone, on record. The caller
// limits how often.
func (e *engine) onNetwork(now time.Time, outcome, sentence string) {
	e.opts.Recorder(phone.Event{At: now, Kind: phone.EventNetwork, Proto: "dhcp", Outcome: outcome, Detail: sentence})
}

// detail is one sentence: the reason, the address, what was asked and given.
func detail(res *result) string {
	var b strings.Builder
	b.WriteString(res.plan.reason)
	if a := res.plan.yiaddr; a.IsValid() {
		b.WriteString(" " + a.String())
	}
	if len(res.req.asked) > 0 {
		b.WriteString("; asked for options " + codes(res.req.asked))
	} else {
		b.WriteString("; asked for no options")
	}
	if len(res.given) > 0 {
		b.WriteString("; " + phone.DetailGiven + " " + codes(res.given))
	}
	b.WriteString("; known as " + res.id.row.name + " by " + res.id.by)
	return b.String()
}

// codes lists at most 40 option codes.
func codes(list []byte) string {
	var b strings.Builder
	for i, c := range list {
		if i == 40 {
			b.WriteString(" ...")
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(int(c)))
	}
	return b.String()
}
