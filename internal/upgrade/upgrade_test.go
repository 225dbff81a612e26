package upgrade

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/rollout"
	"pbx.dev/dialtone/internal/roster"
)

const (
	oldVersion = "66.85.0.5"
	newVersion = "66.86.0.15"
)

// floor is phones that upgrade when they are told, except those in dead, which do
// not come back, and those in stubborn, which come back as they were.
type floor struct {
	mu       sync.Mutex
	phones   map[string]roster.Phone
	dead     []string
	stubborn []string
	admitted []string
	told     []string
	engine   *rollout.Engine
}

func newFloor(n int) *floor {
	f := &floor{phones: map[string]roster.Phone{}}
	for i := range n {
		id := fmt.Sprintf("phone_%d", i)
		f.phones[id] = registered(id, byte(i), oldVersion)
	}
	return f
}

func registered(id string, n byte, version string) roster.Phone {
	return roster.Phone{
		ID: id, Provisioned: true, MAC: phone.MAC{0x80, 0x5e, 0xc0, 0, 0, n + 1}, Registered: true, LastRegistered: time.Now(),
		Firmware: version, UserAgent: "Yealink SIP-T46S " + version,
	}
}

func (f *floor) phone(id string) (roster.Phone, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.phones[id]
	return p, ok
}

func (*floor) Image(id string) (phone.FirmwareImage, bool) {
	return phone.FirmwareImage{ID: id, Version: newVersion}, id == "fw_new"
}

func (f *floor) Admit(_ context.Context, mac phone.MAC, image string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.admitted = append(f.admitted, mac.Hex()+" "+image)
	return nil
}

// tell makes the phone do what it does, then the engine hears of it.
func (f *floor) tell(_ context.Context, _ phone.Job, id string) error {
	f.mu.Lock()
	f.told = append(f.told, id)
	p := f.phones[id]
	switch {
	case slices.Contains(f.dead, id):
		p.Registered = false
	case !slices.Contains(f.stubborn, id):
		p = registered(id, p.MAC[5]-1, newVersion)
	}
	f.phones[id] = p
	f.mu.Unlock()
	f.engine.Observe(id)
	return nil
}

// roll runs a rollout over the floor until its job has the state.
func (f *floor) roll(t *testing.T, waves phone.Waves, want phone.JobState) phone.Job {
	t.Helper()
	store, err := inventory.Open(t.Context(), inventory.Options{Dir: t.TempDir(), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	f.engine, err = rollout.New(rollout.Options{
		Store: store, Node: "n1", Tasks: map[string]rollout.Task{Kind: &Task{Phone: f.phone, Images: f, Tell: f.tell}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.engine.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	var ids []string
	for i := range len(f.phones) {
		ids = append(ids, fmt.Sprintf("phone_%d", i))
	}
	job, err := f.engine.Start(t.Context(), phone.Job{Kind: Kind, Args: map[string]string{ArgImage: "fw_new"}, Waves: waves}, ids)
	if err != nil {
		t.Fatal(err)
	}
	deadline, tick := time.After(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-deadline:
			t.Fatalf("the job is %+v", job)
		case <-tick.C:
		}
		if job, err = store.Job(t.Context(), job.ID); err != nil {
			t.Fatal(err)
		}
		if job.State == want {
			return job
		}
	}
}

// The canary comes back with the new version, then the others have their turn.
func TestWaves(t *testing.T) {
	t.Parallel()
	f := newFloor(6)
	f.phones["phone_5"] = registered("phone_5", 5, newVersion) // has it already
	job := f.roll(t, phone.Waves{Canary: 1, Percents: []int{50, 100}}, phone.JobDone)
	if job.Counts.Succeeded != 6 || len(f.admitted) != 6 || f.told[0] != "phone_0" || len(f.told) != 5 {
		t.Errorf("%+v, admitted %v, told %v", job.Counts, f.admitted, f.told)
	}
}

// A canary that does not come back, or not with the new version, halts the rollout:
// no other phone was offered the image.
func TestCanaryHalts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*floor){
		"dead":     func(f *floor) { f.dead = []string{"phone_0"} },
		"stubborn": func(f *floor) { f.stubborn = []string{"phone_0"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFloor(6)
			change(f)
			job := f.roll(t, phone.Waves{Canary: 1, Patience: 300 * time.Millisecond}, phone.JobHalted)
			if job.Counts.Failed != 1 || job.Counts.Waiting != 5 || job.Reason == "" || len(f.admitted) != 1 || len(f.told) != 1 {
				t.Errorf("%+v %q, admitted %v, told %v", job.Counts, job.Reason, f.admitted, f.told)
			}
		})
	}
}

// What proves an upgrade.
func TestLook(t *testing.T) {
	t.Parallel()
	started := time.Now()
	for name, tt := range map[string]struct {
		change func(*roster.Phone)
		image  string
		want   string
	}{
		"new version":              {func(*roster.Phone) {}, "fw_new", Upgraded},
		"old version":              {func(p *roster.Phone) { *p = registered("x", 1, oldVersion) }, "fw_new", SameVersion},
		"gone":                     {func(p *roster.Phone) { p.Registered = false }, "fw_new", NotRegistered},
		"image gone":               {func(*roster.Phone) {}, "fw_none", NoAnswer},
		"by its files":             {func(p *roster.Phone) { p.UserAgent, p.LastRegistered = "phone", started.Add(time.Second) }, "fw_new", Upgraded},
		"by its files, before":     {func(p *roster.Phone) { p.UserAgent, p.LastRegistered = "phone", started.Add(-time.Second) }, "fw_new", SameVersion},
		"fetched, not registered":  {func(p *roster.Phone) { *p = registered("x", 1, oldVersion); p.Firmware = newVersion }, "fw_new", SameVersion},
		"registered as it was new": {func(p *roster.Phone) { p.LastRegistered = started.Add(-time.Hour) }, "fw_new", Upgraded},
	} {
		p := registered("x", 1, newVersion)
		tt.change(&p)
		task := Task{Phone: func(string) (roster.Phone, bool) { return p, true }, Images: &floor{}}
		v := task.Look(t.Context(), phone.Job{Args: map[string]string{ArgImage: tt.image}}, phone.JobPhone{PhoneID: "x", StartedAt: started})
		if v.Outcome != tt.want || v.OK != (tt.want == Upgraded) {
			t.Errorf("%s: %+v, want %s", name, v, tt.want)
		}
	}
}
