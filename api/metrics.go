package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the API's own counters. Labels are bounded: route is a path
// template, method one of those served.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
	panics   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_api_requests_total", Help: "Requests answered by the REST API.",
		}, []string{"method", "route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dialtone_api_request_seconds", Help: "Time to answer a request of the REST API.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10},
		}, []string{"route"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_api_auth_failures_total", Help: "Requests refused for their key, by reason.",
		}, []string{"reason"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_api_panics_total", Help: "Requests that ended in a panic.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.failures, m.panics} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of the api: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) served(method, route string, status int, took time.Duration) {
	known := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete}
	if !slices.Contains(known, method) {
		method = "other"
	}
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

func (m *metrics) authFailed(reason string) { m.failures.WithLabelValues(reason).Inc() }

func (m *metrics) panicked() { m.panics.Inc() }
