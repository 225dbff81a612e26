package tftpd

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	refused *prometheus.CounterVec
	panics  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, l *limits) *metrics {
	m := &metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_tftp_refused_total", Help: "Requests answered with an error, by TFTP error code.",
		}, []string{"code"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_tftp_panics_total", Help: "Requests that ended in a panic.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.refused, m.panics, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "dialtone_tftp_transfers", Help: "Transfers going on.",
		}, func() float64 { return float64(l.count()) }))
	}
	return m
}
