package provision

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
)

type metrics struct {
	fetches *prometheus.CounterVec
	cache   *prometheus.CounterVec
	render  *prometheus.HistogramVec
	scans   *prometheus.CounterVec

	lastGood *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_provision_fetches_total", Help: "Files asked for, by vendor, protocol and outcome.",
		}, []string{"vendor", "protocol", "outcome"}),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_provision_cache_total", Help: "Rendered files looked up in the cache, by result.",
		}, []string{"result"}),
		lastGood: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_provision_last_good_total", Help: "Files given that phones had before, by what is broken.",
		}, []string{"broken"}),
		scans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_provision_scans_total", Help: "Sources that asked for too much that is not theirs, by reason.",
		}, []string{"reason"}),
		render: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dialtone_provision_render_seconds", Help: "Time to render one file.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 4, 8),
		}, []string{"vendor"}),
	}
	if reg != nil {
		reg.MustRegister(m.fetches, m.cache, m.render, m.scans, m.lastGood)
	}
	return m
}

func (m *metrics) fetched(v phone.Vendor, proto, outcome string) {
	if !slices.Contains([]string{"tftp", "http", "https"}, proto) {
		proto = "other"
	}
	m.fetches.WithLabelValues(vendorLabel(v), proto, outcome).Inc()
}

func (m *metrics) cached(result string) { m.cache.WithLabelValues(result).Inc() }

func (m *metrics) rendered(v phone.Vendor, d time.Duration) {
	m.render.WithLabelValues(vendorLabel(v)).Observe(d.Seconds())
}

// vendorLabel bounds the label: a device can have any vendor that someone typed.
func vendorLabel(v phone.Vendor) string {
	if slices.Contains(phone.Vendors(), v) {
		return string(v)
	}
	return "none"
}
