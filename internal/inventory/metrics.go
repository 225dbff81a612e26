package inventory

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	cache   *prometheus.CounterVec
	dropped prometheus.Counter
	panics  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_inventory_cache_reads_total",
			Help: "Reads of the inventory's caches by outcome.",
		}, []string{"cache", "outcome"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_inventory_events_dropped_total",
			Help: "Events of phones' timelines that were not stored.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_inventory_hearer_panics_total",
			Help: "Panics in functions that were told of a change.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.cache, m.dropped, m.panics} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// reads returns the counters of one cache.
func (m *metrics) reads(cache string) (hits, misses prometheus.Counter) {
	return m.cache.WithLabelValues(cache, "hit"), m.cache.WithLabelValues(cache, "miss")
}
