package proxy

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/prometheus/client_golang/prometheus"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/fork"
)

// metrics of the proxy. Labels are methods we forward, transports and classes.
type metrics struct {
	requests *prometheus.CounterVec
	branches *prometheus.CounterVec
	calls    *prometheus.CounterVec
	ring     prometheus.Histogram
	cancels  prometheus.Counter
	panics   prometheus.Counter
	dropped  prometheus.Counter
	notices  *prometheus.CounterVec
}

func newMetrics() *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_proxy_requests_total", Help: "Requests answered by the proxy, by method and class of the final response.",
		}, []string{"method", "outcome"}),
		branches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_proxy_branches_total", Help: "Branches of forwarded requests, by transport and how they ended.",
		}, []string{"protocol", "outcome"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_proxy_calls_total", Help: "Calls by outcome.",
		}, []string{"outcome"}),
		ring: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dialtone_proxy_ring_seconds", Help: "From the INVITE to the first phone that rings.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		cancels: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_proxy_cancels_total", Help: "CANCELs sent to phones.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_proxy_panics_total", Help: "Panics while handling a request.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_proxy_dropped_total", Help: "Requests dropped because too many are in work.",
		}),
		notices: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_notify_total", Help: "NOTIFYs to phones by outcome: ok, refused, no-answer, unreachable.",
		}, []string{"outcome"}),
	}
}

// register adds the metrics and the gauges of p to reg.
func (p *Proxy) register(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	m := p.metrics
	reg.MustRegister(m.requests, m.branches, m.calls, m.ring, m.cancels, m.panics, m.dropped, m.notices,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "dialtone_proxy_calls_ringing", Help: "Calls that wait for an answer.",
		}, func() float64 { return float64(p.calls.count()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "dialtone_proxy_goroutines", Help: "Goroutines that handle requests and branches.",
		}, func() float64 { return float64(p.work.count()) }))
}

func (m *metrics) request(method sip.RequestMethod, code int) {
	name := string(method)
	switch {
	case method == methodCancel:
		name = "CANCEL"
	case !slices.Contains(strings.Split(allow, ", "), name):
		name = "other"
	}
	m.requests.WithLabelValues(name, class(code)).Inc()
}

func (m *metrics) branch(transport, outcome string) {
	m.branches.WithLabelValues(transport, outcome).Inc()
}

// callLog records what happens to a call. Requests of a dialog and those that
// are no calls are not recorded.
type callLog struct {
	r    *relay
	rang bool
}

func (l *callLog) isCall() bool { return l.r.in.req.Method == sip.INVITE && !l.r.plan.dialog }

// started is the first event: who calls whom.
func (l *callLog) started() {
	if !l.isCall() {
		return
	}
	n := len(l.r.plan.targets)
	contacts := strconv.Itoa(n) + " contacts"
	if n == 1 {
		contacts = "1 contact"
	}
	l.record("started", 0, -1, contacts)
}

// rung is the first ringing of a phone.
func (l *callLog) rung(a fork.Action) {
	b := l.r.branches[a.Branch]
	if !l.isCall() || b.heard {
		return
	}
	if b.heard = true; !l.rang {
		l.rang = true
		l.r.p.metrics.ring.Observe(l.r.p.opt.Now().Sub(l.r.in.at).Seconds())
	}
	l.record("ringing", a.Code, a.Branch, "")
}

// ended is how the call was answered or why not.
func (l *callLog) ended(a fork.Action) {
	if !l.isCall() {
		return
	}
	outcome := outcomeOf(a.Code)
	l.r.p.metrics.calls.WithLabelValues(outcome).Inc()
	l.record(outcome, a.Code, a.Branch, "")
}

func outcomeOf(code int) string {
	switch {
	case code < 300:
		return "answered"
	case code == 487:
		return "cancelled"
	case code == 486 || code == 600:
		return "busy"
	case code == 603:
		return "declined"
	case code == 480 || code == 408:
		return "no-answer"
	}
	return "failed"
}

// record makes the event of the caller's phone, or with a branch of the phone
// that was called.
func (l *callLog) record(outcome string, status, branch int, detail string) {
	in, pl := l.r.in, l.r.plan
	e := phone.Event{
		At: l.r.p.opt.Now(), Kind: phone.EventCall, Outcome: outcome, Status: status,
		Proto: in.from.transport, Source: in.from.remote.String(), DeviceID: pl.caller.DeviceID,
		UserAgent: strings.Join(values(in.req, "User-Agent"), " "),
		Detail:    pl.caller.Extension + " calls " + pl.callee,
	}
	e.Millis = e.At.Sub(in.at).Round(time.Millisecond).Milliseconds()
	if detail != "" {
		e.Detail += ", " + detail
	}
	if branch >= 0 {
		b := pl.targets[branch].binding
		e.Proto, e.Source, e.UserAgent, e.Path = b.Transport, b.Received, b.UserAgent, b.Contact
		e.DeviceID = l.r.p.deviceOf(context.Background(), b)
	}
	l.r.p.opt.Recorder(e)
}
