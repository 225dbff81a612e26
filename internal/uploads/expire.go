package uploads

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
)

// sweepEvery is how often Run looks for files that nobody needs any more.
const sweepEvery = time.Hour

// Run removes files that are older than Options.Keep, and those of phones that
// known denies, until ctx ends. An error of known keeps the files.
func (s *Store) Run(ctx context.Context, known func(context.Context, phone.MAC) (bool, error)) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx, known); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "uploads not swept", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep is one round of Run.
func (s *Store) Sweep(ctx context.Context, known func(context.Context, phone.MAC) (bool, error)) error {
	is := map[phone.MAC]bool{}
	return s.each(func(mac phone.MAC, f File) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, asked := is[mac]; !asked {
			ok, err := known(ctx, mac)
			if err != nil {
				return fmt.Errorf("is %s known: %w", mac, err)
			}
			is[mac] = ok
		}
		if is[mac] && s.now().Sub(f.ModTime) < s.opts.Keep {
			return nil
		}
		return s.Remove(mac, f.Name)
	})
}

// Remove deletes a file of a phone; phone.ErrNotFound when there is none.
func (s *Store) Remove(mac phone.MAC, name string) error {
	path, err := pathOf(mac, name)
	if err != nil {
		return err
	}
	sh := s.shelf(mac)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	err = s.root.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("upload %s: %w", path, phone.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("remove upload: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total -= sh.files[name]
	delete(sh.files, name)
	return nil
}

type metrics struct{ uploads *prometheus.CounterVec }

func newMetrics(reg prometheus.Registerer, s *Store) *metrics {
	m := &metrics{uploads: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_uploads_total", Help: "Files that phones stored, by outcome.",
	}, []string{"outcome"})}
	bytes := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dialtone_uploads_bytes", Help: "Bytes that the files of all phones take.",
	}, func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(s.total)
	})
	if reg != nil {
		reg.MustRegister(m.uploads, bytes)
	}
	return m
}

func (m *metrics) stored(err error) {
	outcome := "ok"
	switch {
	case err == nil:
	case errors.Is(err, phone.ErrTooLarge):
		outcome = "too-large"
	case errors.Is(err, phone.ErrFull):
		outcome = "full"
	case errors.Is(err, phone.ErrBusy):
		outcome = "busy"
	default:
		outcome = "error"
	}
	m.uploads.WithLabelValues(outcome).Inc()
}
