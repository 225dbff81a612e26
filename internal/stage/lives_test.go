package stage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/library"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/rollout"
	"pbx.dev/dialtone/internal/stage"
	"pbx.dev/dialtone/templates"
)

const (
	name = "yealink-phone"
	file = "yealink/phone"
	text = "#!version:1.0.0.1\nphone_setting.lcd_logo.mode = %d\n{{range .Lines}}account.{{.Number}}.password = {{.Password}}\n{{end}}"
)

// told is the task "resync" of phones that do what the test says.
type told struct {
	mu    sync.Mutex
	begun []string
	how   map[string]rollout.Verdict
}

// Begin implements rollout.Task.
func (w *told) Begin(_ context.Context, _ phone.Job, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = append(w.begun, id)
	return nil
}

// Look implements rollout.Task.
func (w *told) Look(_ context.Context, _ phone.Job, p phone.JobPhone) rollout.Verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.how[p.PhoneID]
}

// node is one server: what it stores, what it serves, the jobs that it runs.
type node struct {
	t       *testing.T
	options inventory.Options
	name    string
	store   *inventory.Store
	lib     *library.Service
	engine  *rollout.Engine
	settler *stage.Settler
	told    *told
	stop    func()
}

func newNode(t *testing.T, o inventory.Options, name string) *node {
	n := &node{t: t, options: o, name: name}
	n.start()
	t.Cleanup(func() { n.stop() })
	return n
}

func (n *node) start() {
	n.t.Helper()
	store, err := inventory.Open(context.Background(), n.options)
	n.must(err)
	builtin, _ := templates.NewLibrary(templates.Builtin())
	n.store, n.told = store, &told{how: map[string]rollout.Verdict{}}
	n.lib, err = library.New(context.Background(), library.Options{
		Reader: store, Writer: store, Devices: store, Trials: store, Live: templates.NewLive(builtin), FirmwareOf: func(phone.Device) string { return "" },
	})
	n.must(err)
	store.OnChange(func(inventory.Change) { n.lib.Changed() })
	n.engine, err = rollout.New(rollout.Options{Store: store, Node: n.name, Tasks: map[string]rollout.Task{
		library.TrialKind: &stage.Task{Ready: n.lib.Ready, Told: n.told}, "resync": n.told,
	}})
	n.must(err)
	n.settler = &stage.Settler{Library: n.lib, Store: store, Jobs: n.engine, Node: n.name, Back: "resync"}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{n.engine.Run, n.lib.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				n.t.Error(err)
			}
		})
	}
	n.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		n.must(store.Close())
	})
}

// crash ends the process as it is and starts another one on the same store, which goes
// on with its jobs.
func (n *node) crash() {
	n.t.Helper()
	n.stop()
	n.start()
	jobs, err := n.store.UnfinishedJobs(n.t.Context(), n.name)
	n.must(err)
	for _, j := range jobs {
		n.until("the job is known again", func() bool { _, ok := n.engine.Job(j.ID); return ok })
	}
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// desks are phones whose template has revision 1 active and revision 2 stored.
func (n *node) desks(count int) []string {
	n.t.Helper()
	ctx := n.t.Context()
	for i, active := range []bool{true, false} {
		d := phone.TemplateDraft{TemplateContent: phone.TemplateContent{Text: fmt.Sprintf(text, i+1)}, Activate: active}
		var err error
		if i == 0 {
			_, _, err = n.lib.Create(ctx, phone.Template{Name: name}, d)
		} else {
			_, _, err = n.lib.Update(ctx, name, d)
		}
		n.must(err)
	}
	var ids []string
	for i := range count {
		d, err := n.store.CreateDevice(ctx, phone.Device{MAC: phone.MAC{0, 0x15, 0x65, 0, 0, byte(i)}, Vendor: phone.Yealink, Model: "T46S"})
		n.must(err)
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	return ids
}

// roll starts to give all phones revision 2.
func (n *node) roll(w phone.Waves, keep bool) string {
	n.t.Helper()
	job, ids, err := n.lib.PrepareTrial(n.t.Context(), name, 2, keep)
	n.must(err)
	w.Hold, w.Patience = true, time.Hour
	job.Waves = w
	_, err = n.engine.Start(n.t.Context(), job, ids)
	n.must(err)
	return job.ID
}

// until waits for what other goroutines do; the test's own time-out ends it in vain.
func (n *node) until(what string, fn func() bool) {
	n.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(time.Minute)
	for !fn() {
		select {
		case <-giveUp:
			n.t.Fatal("in vain waited for: " + what)
		case <-tick.C:
		}
	}
}

// comesBack and staysAway are what a phone does that was told.
func (n *node) comesBack(id string) {
	n.does(id, rollout.Verdict{Outcome: "applied", Done: true, OK: true})
}

func (n *node) staysAway(id string) {
	n.does(id, rollout.Verdict{Outcome: "fetched-not-registered", Done: true})
}

func (n *node) does(id string, v rollout.Verdict) {
	n.t.Helper()
	n.until(id+" is told", func() bool {
		n.told.mu.Lock()
		defer n.told.mu.Unlock()
		return slices.Contains(n.told.begun, id)
	})
	n.told.mu.Lock()
	n.told.how[id] = v
	n.told.mu.Unlock()
	n.engine.Observe(id)
}

// has says which revision each phone gets.
func (n *node) has(ids []string) string {
	out := ""
	for _, id := range ids {
		out += fmt.Sprint(n.lib.LibraryOf(file, id).Pick(file, "T46S", "").Revision)
	}
	return out
}

func (n *node) wantHas(ids []string, want string) {
	n.t.Helper()
	n.until("phones have "+want, func() bool { return n.has(ids) == want })
}

func (n *node) job(id string) phone.Job {
	n.t.Helper()
	j, err := n.store.Job(n.t.Context(), id)
	n.must(err)
	return j
}

func (n *node) wantState(id string, want phone.JobState) {
	n.t.Helper()
	n.until(string(want), func() bool { return n.job(id).State == want })
}

func (n *node) settle() {
	n.t.Helper()
	n.must(n.settler.Settle(n.t.Context()))
}

// wantEnd is that no trial is left, with this revision active for all, and which phones
// were told to fetch again.
func (n *node) wantEnd(ids []string, job, has string, again ...string) {
	n.t.Helper()
	n.until("the end", func() bool { n.settle(); return len(n.lib.Trials()) == 0 })
	n.wantHas(ids, has)
	back, err := n.store.JobPhones(n.t.Context(), job+"back", "", 100)
	n.must(err)
	var got []string
	for _, p := range back {
		got = append(got, p.PhoneID)
	}
	if !slices.Equal(got, again) {
		n.t.Errorf("told to fetch again: %v, want %v", got, again)
	}
	if list, err := n.store.TemplateTrials(n.t.Context()); err != nil || len(list) != 0 {
		n.t.Errorf("left: %+v, %v", list, err)
	}
}

// TestLives are the lives of a rollout of five phones, in the order of their ids.
func TestLives(t *testing.T) {
	t.Parallel()
	for about, live := range map[string]func(n *node, ids []string){
		"well: the canary, half, all, active": func(n *node, ids []string) {
			job := n.roll(phone.Waves{Canary: 1, Percents: []int{50}}, false)
			n.wantHas(ids, "21111")
			n.settle() // gated: nothing goes on before the canary is back
			n.wantHas(ids, "21111")
			n.comesBack(ids[0])
			n.wantHas(ids, "22211")
			n.comesBack(ids[1])
			n.wantHas(ids, "22211")
			n.comesBack(ids[2])
			n.wantHas(ids, "22222")
			n.comesBack(ids[3])
			n.comesBack(ids[4])
			n.wantState(job, phone.JobDone)
			n.wantEnd(ids, job, "22222")
		},
		"the canary does not register: stop": func(n *node, ids []string) {
			job := n.roll(phone.Waves{Canary: 1}, false)
			n.staysAway(ids[0])
			n.wantState(job, phone.JobHalted)
			n.wantHas(ids, "21111")
			n.wantEnd(ids, job, "11111", ids[0])
			if j := n.job(job); j.State != phone.JobAborted || j.Counts.Skipped != 4 || j.Counts.Failed != 1 {
				n.t.Errorf("the job is %+v", j)
			}
		},
		"more fail than may: stop in the second wave": func(n *node, ids []string) {
			job := n.roll(phone.Waves{Canary: 1, HaltPercent: 25}, false)
			n.comesBack(ids[0])
			n.staysAway(ids[1]) // one of four may
			n.comesBack(ids[2])
			n.wantHas(ids, "22222")
			n.staysAway(ids[3])
			n.wantEnd(ids, job, "11111", ids...)
		},
		"as many fail as may: active": func(n *node, ids []string) {
			job := n.roll(phone.Waves{Canary: 1, HaltPercent: 25}, false)
			n.comesBack(ids[0])
			n.staysAway(ids[1])
			for _, id := range ids[2:] {
				n.comesBack(id)
			}
			n.wantState(job, phone.JobDone)
			n.wantEnd(ids, job, "22222")
		},
		"the very last one fails: not active": func(n *node, ids []string) {
			job := n.roll(phone.Waves{}, false)
			for _, id := range ids[:4] {
				n.comesBack(id)
			}
			n.staysAway(ids[4])
			n.wantState(job, phone.JobHalted)
			n.wantEnd(ids, job, "11111", ids...)
		},
		"keep, then go on": func(n *node, ids []string) {
			job := n.roll(phone.Waves{Canary: 1}, true)
			n.staysAway(ids[0])
			n.wantState(job, phone.JobHalted)
			n.settle()
			n.wantHas(ids, "21111")
			n.crash()
			n.settle()
			n.wantHas(ids, "21111")
			n.must(n.engine.Resume(n.t.Context(), job))
			for _, id := range ids[1:] {
				n.comesBack(id)
			}
			n.wantState(job, phone.JobDone)
			n.wantEnd(ids, job, "22222")
		},
		"keep, then abort": func(n *node, ids []string) {
			job := n.roll(phone.Waves{Canary: 2}, true)
			n.staysAway(ids[1])
			n.wantState(job, phone.JobHalted)
			n.settle()
			n.wantHas(ids, "22111")
			n.must(n.engine.Abort(n.t.Context(), job, "An administrator aborted it."))
			n.wantEnd(ids, job, "11111", ids[:2]...)
		},
		"keep, and nobody is left": func(n *node, ids []string) {
			job := n.roll(phone.Waves{}, true)
			for _, id := range ids {
				n.staysAway(id)
			}
			n.wantState(job, phone.JobHalted)
			n.settle()
			n.wantHas(ids, "22222")
			n.must(n.engine.Abort(n.t.Context(), job, "An administrator aborted it."))
			n.wantEnd(ids, job, "11111", ids...)
		},
		"aborted before anybody was told": func(n *node, ids []string) {
			job := n.roll(phone.Waves{Jitter: 24 * time.Hour}, false)
			n.must(n.engine.Abort(n.t.Context(), job, "An administrator aborted it."))
			n.wantEnd(ids, job, "11111")
		},
		"a crash while the canary is out": func(n *node, ids []string) {
			job := n.roll(phone.Waves{Canary: 1}, false)
			n.wantHas(ids, "21111")
			n.crash()
			n.wantHas(ids, "21111")
			n.told.begun = append(n.told.begun, ids[0]) // by the process before
			n.comesBack(ids[0])
			for _, id := range ids[1:] {
				n.comesBack(id)
			}
			n.wantState(job, phone.JobDone)
			n.wantEnd(ids, job, "22222")
		},
		"a crash between done and active": func(n *node, ids []string) {
			job := n.roll(phone.Waves{}, false)
			for _, id := range ids {
				n.comesBack(id)
			}
			n.wantState(job, phone.JobDone)
			n.crash()
			n.wantHas(ids, "22222") // never back to the old one in between
			n.wantEnd(ids, job, "22222")
		},
		"a crash between halted and aborted": func(n *node, ids []string) {
			job := n.roll(phone.Waves{Canary: 1}, false)
			n.staysAway(ids[0])
			n.wantState(job, phone.JobHalted)
			n.crash()
			n.wantEnd(ids, job, "11111", ids[0])
		},
		"a crash between taken back and told": func(n *node, ids []string) {
			job := n.roll(phone.Waves{Canary: 1}, false)
			n.staysAway(ids[0])
			n.wantState(job, phone.JobHalted)
			n.must(n.engine.Abort(n.t.Context(), job, "stopped"))
			n.must(n.lib.HaltTrial(n.t.Context(), job))
			n.wantHas(ids, "11111")
			n.crash()
			n.wantHas(ids, "11111")
			n.wantEnd(ids, job, "11111", ids[0])
		},
		"a crash between told and ended": func(n *node, ids []string) {
			job := n.roll(phone.Waves{Canary: 1}, false)
			n.staysAway(ids[0])
			n.wantState(job, phone.JobHalted)
			n.must(n.engine.Abort(n.t.Context(), job, "stopped"))
			n.must(n.lib.HaltTrial(n.t.Context(), job))
			_, err := n.engine.Start(n.t.Context(), phone.Job{ID: job + "back", Kind: "resync"}, ids[:1])
			n.must(err)
			n.crash()
			n.wantEnd(ids, job, "11111", ids[0])
		},
		"a crash between the trial and its job": func(n *node, ids []string) {
			job, _, err := n.lib.PrepareTrial(n.t.Context(), name, 2, false)
			n.must(err)
			n.crash()
			n.settle()
			if len(n.lib.Trials()) != 1 {
				n.t.Error("it was ended while its job could still come")
			}
			n.settler.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
			n.wantEnd(ids, job.ID, "11111")
		},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, inventory.Options{Dir: t.TempDir(), Key: make([]byte, inventory.KeySize)}, "n1")
			live(n, n.desks(5))
		})
	}
}

// What is changed while a revision is rolled out is refused, and the rollout goes on.
func TestOthersWait(t *testing.T) {
	t.Parallel()
	n := newNode(t, inventory.Options{Dir: t.TempDir(), Key: make([]byte, inventory.KeySize)}, "n1")
	ids := n.desks(2)
	job := n.roll(phone.Waves{Canary: 1}, false)
	if _, _, err := n.lib.Activate(t.Context(), name, 2, nil); !errors.Is(err, phone.ErrConflict) {
		t.Errorf("activated beside it: %v", err)
	}
	if _, _, err := n.lib.PrepareTrial(t.Context(), name, 2, false); !errors.Is(err, phone.ErrConflict) {
		t.Errorf("rolled out beside it: %v", err)
	}
	if err := n.lib.Delete(t.Context(), name, nil); !errors.Is(err, phone.ErrConflict) {
		t.Errorf("deleted: %v", err)
	}
	n.comesBack(ids[0])
	n.comesBack(ids[1])
	n.wantState(job, phone.JobDone)
	n.wantEnd(ids, job, "22")
}

// Two nodes behind one PostgreSQL: the one that does not run the job serves each phone
// the revision that the job has given it, and ends the rollout when the other is gone.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	o := inventory.Options{URL: postgres.URL(t), Dir: t.TempDir(), Key: make([]byte, inventory.KeySize)}
	here, there := newNode(t, o, "n1"), newNode(t, o, "n2")
	ids := here.desks(3)
	job := here.roll(phone.Waves{Canary: 1}, false)
	there.wantHas(ids, "211")
	there.settle() // not its job
	here.comesBack(ids[0])
	there.wantHas(ids, "222")
	if _, _, err := there.lib.Activate(t.Context(), name, 1, nil); !errors.Is(err, phone.ErrConflict) {
		t.Errorf("the other node activates beside it: %v", err)
	}
	here.staysAway(ids[1])
	here.wantState(job, phone.JobHalted)
	must := here.must
	must(here.engine.Abort(t.Context(), job, "stopped"))
	here.comesBack(ids[2]) // the job ends with its last phone
	here.until("the job has ended", func() bool { return !here.job(job).EndedAt.IsZero() })
	here.stop() // for good, before it could take the revision back
	there.settle()
	if len(there.lib.Trials()) != 1 {
		t.Error("it was ended while its own node could do it")
	}
	there.settler.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	there.wantEnd(ids, job, "111", ids...)
}

// The end of a rollout is known to a node at the first fetch, before it is told.
func TestEndIsKnownAtTheFetch(t *testing.T) {
	t.Parallel()
	o := inventory.Options{URL: postgres.URL(t), Dir: t.TempDir(), Key: make([]byte, inventory.KeySize)}
	here := newNode(t, o, "n1")
	ids := here.desks(1)
	job := here.roll(phone.Waves{}, false)
	here.comesBack(ids[0])
	here.wantState(job, phone.JobDone)
	deaf, err := library.New(t.Context(), library.Options{
		Reader: here.store, Writer: here.store, Devices: here.store, Trials: here.store, FirmwareOf: func(phone.Device) string { return "" },
		Live: func() *templates.Live { l, _ := templates.NewLibrary(templates.Builtin()); return templates.NewLive(l) }(),
	})
	here.must(err)
	here.wantEnd(ids, job, "2")
	if got := deaf.LibraryOf(file, ids[0]).Pick(file, "T46S", "").Revision; got != 2 || len(deaf.Trials()) != 0 {
		t.Errorf("the phone gets revision %d, trials %v", got, deaf.Trials())
	}
}
