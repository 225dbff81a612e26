package engine

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	writes *prometheus.CounterVec
	batch  prometheus.Histogram
	commit prometheus.Histogram
	heard  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_inventory_writes_total",
			Help: "Writes to the inventory by outcome.",
		}, []string{"outcome"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "dialtone_inventory_commit_writes",
			Help:    "Writes that shared one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 5),
		}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "dialtone_inventory_commit_seconds",
			Help:    "Time that a commit took.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8),
		}),
		heard: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "dialtone_inventory_heard_seconds",
			Help:    "From the begin of another node's transaction until it was applied here, with what clocks differ.",
			Buckets: []float64{0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10},
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.writes, m.batch, m.commit, m.heard} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) count(err error) {
	if err != nil {
		m.writes.WithLabelValues("error").Inc()
		return
	}
	m.writes.WithLabelValues("ok").Inc()
}
