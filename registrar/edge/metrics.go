package edge

import (
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// Why something was dropped.
const (
	dropGarbage  = iota // not SIP
	dropBudget          // the source sends too much
	dropQueue           // Rest does not keep up
	dropBusy            // the workers do not keep up
	dropSend            // the socket did not take an answer
	dropResponse        // a response that cannot be passed on
	dropCount
)

var dropNames = [dropCount]string{"garbage", "budget", "queue", "busy", "send", "response"}

type metrics struct {
	dropped     [dropCount]prometheus.Counter
	malformed   prometheus.Counter
	panics      prometheus.Counter
	connections prometheus.Gauge
	refused     prometheus.Counter
	handshakes  *prometheus.CounterVec
	noise       *rate.Limiter // of log lines
}

func newMetrics(reg prometheus.Registerer) *metrics {
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_sip_dropped_total", Help: "SIP messages dropped or refused unread, by reason.",
	}, []string{"reason"})
	m := &metrics{
		malformed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_sip_malformed_total", Help: "Malformed SIP requests.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_sip_panics_total", Help: "Panics while handling a SIP message.",
		}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "dialtone_sip_connections", Help: "Open SIP connections.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_sip_connections_refused_total", Help: "SIP connections closed at once since there were too many.",
		}),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_sip_handshake_failures_total", Help: "SIP connections whose TLS handshake or WebSocket upgrade failed, by reason.",
		}, []string{"transport", "reason"}),
		noise: rate.NewLimiter(5, 20),
	}
	for i, name := range dropNames {
		m.dropped[i] = dropped.WithLabelValues(name)
	}
	if reg != nil {
		reg.MustRegister(dropped, m.malformed, m.panics, m.connections, m.refused, m.handshakes)
	}
	return m
}

// handshake counts a failure. Both labels are of fixed sets.
func (m *metrics) handshake(f Failure) { m.handshakes.WithLabelValues(f.Transport, f.Reason).Inc() }

// panicked counts and logs a panic that was caught.
func (s *Server) panicked(p any) {
	s.metrics.panics.Inc()
	s.log.Error("panic while handling a sip message", "panic", p, "stack", string(debug.Stack()))
}
