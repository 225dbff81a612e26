package location

import (
	"github.com/prometheus/client_golang/prometheus"
)

type resilientMetrics struct {
	degraded, pending                            prometheus.Gauge
	refreshes, lookups, lists, refused, restored prometheus.Counter
}

func newResilientMetrics(reg prometheus.Registerer) *resilientMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return register(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "dialtone", Subsystem: "location", Name: name, Help: help,
		}))
	}
	answers := register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "dialtone", Subsystem: "location", Name: "degraded_answers_total",
		Help: "What was answered without the store, and what had to be refused.",
	}, []string{"what"}))
	return &resilientMetrics{
		degraded:  gauge("degraded", "1 while the store of registrations cannot be reached."),
		pending:   gauge("pending", "Extensions with registrations that are to be written when the store is back."),
		refreshes: answers.WithLabelValues("update"), lookups: answers.WithLabelValues("lookup"),
		lists: answers.WithLabelValues("list"), refused: answers.WithLabelValues("refused"),
		restored: register(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "dialtone", Subsystem: "location", Name: "restored_total",
			Help: "Bindings that were written to a store that was out of reach or had lost them.",
		})),
	}
}
