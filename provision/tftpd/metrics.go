package tftpd

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	refused   *prometheus.CounterVec
	panics    prometheus.Counter
	repeated  prometheus.Counter
	displaced prometheus.Counter
	ignored   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, l *slots) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "dialtone_tftp_" + name, Help: help})
	}
	m := &metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_tftp_refused_total", Help: "Requests answered with an error, by TFTP error code.",
		}, []string{"code"}),
		panics:    counter("panics_total", "Requests that ended in a panic."),
		repeated:  counter("repeated_total", "Windows sent again because no acknowledgement came in time."),
		displaced: counter("displaced_total", "Transfers without an answer that gave their place to others."),
		ignored:   counter("ignored_total", "Requests that came too fast to be answered."),
	}
	if reg != nil {
		reg.MustRegister(m.refused, m.panics, m.repeated, m.displaced, m.ignored, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "dialtone_tftp_transfers", Help: "Transfers going on.",
		}, func() float64 { return float64(l.count()) }))
	}
	return m
}
