package roster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running runs a roster in virtual time for the time of fn.
func running(t *testing.T, st *store, fn func(r *Roster, reg *prometheus.Registry)) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		r, err := New(Options{Save: st, Registerer: reg})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		fn(r, reg)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// elapse lets virtual time pass.
func elapse(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func now(b *location.Binding) {
	b.RefreshedAt = time.Now()
	b.ExpiresAt = b.RefreshedAt.Add(time.Hour)
}

func TestRunSavesInBatches(t *testing.T) {
	t.Parallel()
	st := newStore()
	running(t, st, func(r *Roster, _ *prometheus.Registry) {
		for _, ip := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
			r.Binding(location.Change{Kind: location.Added, Binding: contactOf("101", ip, ua(jssip), now)})
		}
		synctest.Wait()
		want(t, st.count(), 0)
		elapse(flushAfter + time.Millisecond)
		want(t, st.count(), 3)
		want(t, st.written(), 1)
		r.Binding(location.Change{Kind: location.Added, Binding: contactOf("101", "10.0.0.4", ua(jssip), now)})
	})
	want(t, st.count(), 4) // the end saves what is left
}

// A great many new phones are saved at a bounded rate, and one that is forgotten
// meanwhile does not wait for them.
func TestRunSavesManyInTime(t *testing.T) {
	t.Parallel()
	st := newStore()
	running(t, st, func(r *Roster, _ *prometheus.Registry) {
		gone := contactOf("100", "10.1.0.1", ua(jssip), now)
		r.Binding(location.Change{Kind: location.Added, Binding: gone})
		for i := range 4 * pageSize {
			r.Binding(location.Change{Kind: location.Added, Binding: contactOf(fmt.Sprint(10000+i), "10.0.0.1", ua(jssip), now)})
		}
		elapse(flushAfter + time.Millisecond)
		want(t, st.count(), pageSize)
		elapse(flushEvery)
		want(t, st.count(), 2*pageSize)
		r.Binding(location.Change{Kind: location.Expired, Binding: gone})
		page, _, err := r.List(Filter{Extension: "100"}, "", 1)
		if err != nil || len(page) != 1 {
			t.Fatal(page, err)
		}
		if err := r.Forget(context.WithoutCancel(t.Context()), page[0].ID); err != nil {
			t.Fatal(err)
		}
		if n := st.count(); n >= 4*pageSize {
			t.Errorf("%d phones are saved: to forget one has waited for all", n)
		}
		elapse(3 * flushEvery)
		want(t, st.count(), 4*pageSize)
	})
}

func TestRunTriesAgain(t *testing.T) {
	t.Parallel()
	st := newStore()
	st.fail(errBroken)
	running(t, st, func(r *Roster, reg *prometheus.Registry) {
		r.Binding(location.Change{Kind: location.Added, Binding: contactOf("101", "10.0.0.1", ua(jssip), now)})
		elapse(10 * time.Second)
		want(t, st.written(), 1)
		if n, err := testutil.GatherAndCount(reg, "dialtone_roster_save_failures_total"); err != nil || n != 1 {
			t.Errorf("failures are not counted: %d, %v", n, err)
		}
		st.fail(nil)
		elapse(retryAfter)
		want(t, st.count(), 1)
	})
}

func TestRunForgets(t *testing.T) {
	t.Parallel()
	st := newStore()
	running(t, st, func(r *Roster, _ *prometheus.Registry) {
		b := contactOf("101", "10.0.0.1", ua(jssip), now)
		r.Binding(location.Change{Kind: location.Added, Binding: b})
		r.Binding(location.Change{Kind: location.Expired, Binding: b})
		elapse(30 * 24 * time.Hour)
		want(t, r.Stats().Total, 1)
		elapse(agingEvery)
		want(t, r.Stats().Total, 0)
		elapse(2 * flushAfter)
		want(t, st.count(), 0)
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	r, err := New(Options{Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	d := sample(1, phone.Polycom, "VVX 450", "101")
	r.DeviceChanged(d)
	r.Binding(location.Change{Kind: location.Added, Binding: contactOf("101", "10.0.0.1", as("l1_1"))})
	r.Binding(location.Change{Kind: location.Added, Binding: contactOf("102", "10.0.0.2", ua(jssip))})
	want(t, testutil.ToFloat64(r.metrics.matches.WithLabelValues(RuleSIPUser)), 1.0)
	want(t, testutil.ToFloat64(r.metrics.matches.WithLabelValues("none")), 1.0)
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	if _, err := New(Options{Registerer: reg}); err == nil {
		t.Error("a second roster on one registry is accepted")
	}
	if err := r.Flush(t.Context()); err != nil || r.st.dirty.any() {
		t.Errorf("without a saver: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.saving <- struct{}{}
	h.loading <- struct{}{}
	if err := h.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Flush: %v", err)
	}
	if err := h.Load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Load: %v", err)
	}
}
