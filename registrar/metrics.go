package registrar

import "github.com/prometheus/client_golang/prometheus"

// outcome is what became of a REGISTER.
type outcome int

const (
	registered   outcome = iota // a contact was added or refreshed
	unregistered                // contacts were removed
	queried                     // only asked
	challenged                  // 401 for want of credentials
	stale                       // 401 with stale=true
	denied                      // wrong password or unknown user
	banned                      // dropped: too many wrong passwords
	refused                     // 4xx and 500
	unavailable                 // 503
	outcomeCount
)

var outcomeNames = [outcomeCount]string{
	"registered", "unregistered", "queried", "challenged", "stale", "denied", "banned", "refused", "unavailable",
}

// transports are the values of the label.
var transports = [...]string{"udp", "tcp", "tls", "ws", "wss"}

type metrics struct {
	requests [outcomeCount][len(transports)]prometheus.Counter
	failures prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_registrations_total", Help: "REGISTER requests by outcome and transport.",
	}, []string{"outcome", "transport"})
	m := &metrics{failures: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "dialtone_sip_auth_failures_total", Help: "REGISTER requests with a wrong password or an unknown user.",
	})}
	for o, name := range outcomeNames {
		for t, transport := range transports {
			m.requests[o][t] = requests.WithLabelValues(name, transport)
		}
	}
	if reg != nil {
		reg.MustRegister(requests, m.failures)
	}
	return m
}

func (m *metrics) count(o outcome, transport string) {
	for t, name := range transports {
		if name == transport {
			m.requests[o][t].Inc()
		}
	}
}
