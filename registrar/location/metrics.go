package location

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures both stores and the mirror keep. The label "outcome"
// is one of ok, stale, too_many, invalid and unavailable.
type metrics struct {
	applies *prometheus.CounterVec
	commit  prometheus.Histogram
	batch   prometheus.Histogram
	expired prometheus.Counter
	gaps    prometheus.Counter
	panics  prometheus.Counter
	live    prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, store string) *metrics {
	labels := prometheus.Labels{"store": store}
	counter := func(name, help string) prometheus.Counter {
		return register(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "dialtone", Subsystem: "location", Name: name, Help: help, ConstLabels: labels,
		}))
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return register(reg, prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "dialtone", Subsystem: "location", Name: name, Help: help, ConstLabels: labels, Buckets: buckets,
		}))
	}
	return &metrics{
		applies: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "dialtone", Subsystem: "location", Name: "applies_total",
			Help: "Updates of an AOR by outcome.", ConstLabels: labels,
		}, []string{"outcome"})),
		commit: histogram("commit_seconds", "Time to make updates durable.",
			prometheus.ExponentialBuckets(0.0001, 2.5, 12)),
		batch:   histogram("commit_updates", "Updates made durable together.", prometheus.ExponentialBuckets(1, 2, 12)),
		expired: counter("expired_total", "Bindings that ran out."),
		gaps:    counter("watch_gaps_total", "Times a watcher lost changes and had to read everything again."),
		panics:  counter("panics_total", "Panics that were caught."),
		live: register(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "dialtone", Subsystem: "location", Name: "bindings", Help: "Live bindings.", ConstLabels: labels,
		})),
	}
}

// register adds c to reg, or returns what an earlier store of the process has
// put there under the same name.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	err := reg.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if old, ok := already.ExistingCollector.(C); ok {
			return old
		}
	}
	return c
}

// outcomes are the counters of applies, resolved once.
type outcomes struct {
	ok, stale, tooMany, invalid, unavailable prometheus.Counter
}

func newOutcomes(m *metrics) outcomes {
	return outcomes{
		ok:          m.applies.WithLabelValues("ok"),
		stale:       m.applies.WithLabelValues("stale"),
		tooMany:     m.applies.WithLabelValues("too_many"),
		invalid:     m.applies.WithLabelValues("invalid"),
		unavailable: m.applies.WithLabelValues("unavailable"),
	}
}

func (o *outcomes) count(err error) {
	switch {
	case err == nil:
		o.ok.Inc()
	case errors.Is(err, ErrStale):
		o.stale.Inc()
	case errors.Is(err, ErrTooMany):
		o.tooMany.Inc()
	case errors.Is(err, ErrUnavailable):
		o.unavailable.Inc()
	default:
		o.invalid.Inc()
	}
}

func orNow(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}
