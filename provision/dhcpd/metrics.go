package dhcpd

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	messages    *prometheus.CounterVec // type, vendor, outcome
	dropped     *prometheus.CounterVec // reason
	exhausted   prometheus.Counter
	withheld    prometheus.Counter
	conflicts   *prometheus.CounterVec // found
	probes      *prometheus.CounterVec // result
	foreign     *prometheus.CounterVec // kind
	storeErrors prometheus.Counter
	panics      prometheus.Counter
}

// Why a packet, a reply or an event was dropped.
const (
	dropGarbage  = "garbage"  // no DHCP request
	dropOverload = "overload" // the workers are behind
	dropSend     = "send"     // the reply could not be sent
	dropEvent    = "event"    // answered, but not on the timeline
)

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		messages: f.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_dhcp_messages_total", Help: "DHCP requests by type, vendor and what became of them.",
		}, []string{"type", "vendor", "outcome"}),
		dropped: f.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_dhcp_dropped_total", Help: "DHCP packets and events dropped, by reason.",
		}, []string{"reason"}),
		exhausted: f.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_dhcp_range_exhausted_total", Help: "DISCOVERs without an answer as no address was free.",
		}),
		withheld: f.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_dhcp_withheld_total", Help: "DISCOVERs of clients nobody knows without an answer, as the rest of the range is kept for known phones.",
		}),
		conflicts: f.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_dhcp_conflicts_total", Help: "Addresses of the range that another device was found using, by how it was found.",
		}, []string{"found"}),
		probes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_dhcp_probes_total", Help: "Looks whether an address is in use before it is offered, by result.",
		}, []string{"result"}),
		foreign: f.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_dhcp_foreign_total", Help: "Replies of other DHCP servers that were overheard: of one that should not be there, or with another URL.",
		}, []string{"kind"}),
		storeErrors: f.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_dhcp_store_errors_total", Help: "Leases that could not be saved or deleted.",
		}),
		panics: f.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_dhcp_panics_total", Help: "Panics while handling a packet.",
		}),
	}
}

// watchPool shows the state of the range.
func watchPool(reg prometheus.Registerer, e *engine) {
	if reg == nil {
		return
	}
	reg.MustRegister(&poolCollector{e: e, desc: prometheus.NewDesc(
		"dialtone_dhcp_addresses", "Addresses of the range by state.", []string{"state"}, nil)})
}

type poolCollector struct {
	e    *engine
	desc *prometheus.Desc
}

var _ prometheus.Collector = (*poolCollector)(nil)

func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	free, offered, leased, declined := c.e.pool.usage(c.e.opts.Now())
	for state, n := range map[string]int{"free": free, "offered": offered, "leased": leased, "declined": declined} {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(n), state)
	}
}
