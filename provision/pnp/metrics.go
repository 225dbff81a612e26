package pnp

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	requests *prometheus.CounterVec // outcome
	notifies *prometheus.CounterVec // outcome
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_pnp_requests_total", Help: "Datagrams to the PnP group by what became of them; all but answered got silence.",
		}, []string{"outcome"}),
		notifies: f.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_pnp_notifies_total", Help: "NOTIFYs with a URL by how they ended.",
		}, []string{"outcome"}),
	}
}
