package roster

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/useragent"
)

// metrics counts what the roster does. A nil *metrics counts nothing.
type metrics struct {
	matches  *prometheus.CounterVec
	failures prometheus.Counter
	panics   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, r *Roster) (*metrics, error) {
	if reg == nil {
		return nil, nil
	}
	m := &metrics{
		matches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_roster_matches_total", Help: "Contacts tied to a phone, by the rule that did it; \"none\" is a phone that is not provisioned.",
		}, []string{"rule"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_roster_save_failures_total", Help: "Times that what was last seen of phones could not be saved.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_roster_panics_total", Help: "Panics recovered in the background work of the roster.",
		}),
	}
	collectors := []prometheus.Collector{m.matches, m.failures, m.panics, gauge("registered", func() int { return r.Stats().Registered }), gauge("unregistered", func() int { return r.Stats().Unregistered })}
	collectors = append(collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dialtone_phones_drift", Help: "Phones that differ from what is provisioned.",
	}, func() float64 { return float64(r.drifting()) }))
	for _, t := range types {
		collectors = append(collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "dialtone_phones_by_type", Help: "Phones in the list, by type.", ConstLabels: prometheus.Labels{"type": string(t)},
		}, func() float64 { return float64(r.countOf(t)) }))
	}
	var errs []error
	for _, c := range collectors {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return m, nil
}

func gauge(state string, value func() int) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dialtone_phones", Help: "Phones in the list.", ConstLabels: prometheus.Labels{"state": state},
	}, func() float64 { return float64(value()) })
}

func (r *Roster) drifting() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.st.tally.drifted
}

func (r *Roster) countOf(t useragent.Type) int {
	st := r.Stats()
	return *st.ByType.of(t)
}

func (m *metrics) bound(rule string, matched bool) {
	if m == nil || !matched {
		return
	}
	if rule == "" {
		rule = "none"
	}
	m.matches.WithLabelValues(rule).Inc()
}

func (m *metrics) saveFailed() {
	if m != nil {
		m.failures.Inc()
	}
}

func (m *metrics) panicked() {
	if m != nil {
		m.panics.Inc()
	}
}
