package rollout

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	working prometheus.Gauge
	phones  *prometheus.CounterVec
	jobs    *prometheus.CounterVec
	panics  prometheus.Counter
}

// newMetrics registers the metrics; the labels are kinds and outcomes of tasks,
// which are few.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		working: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "dialtone_jobs_phones_working", Help: "Phones that a job has under way.",
		}),
		phones: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_jobs_phones_total", Help: "Phones that jobs are done with, by kind of job and outcome.",
		}, []string{"kind", "outcome"}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_jobs_total", Help: "Jobs that ended, by kind and state.",
		}, []string{"kind", "state"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_jobs_panics_total", Help: "Panics in tasks of jobs.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.working, m.phones, m.jobs, m.panics} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
