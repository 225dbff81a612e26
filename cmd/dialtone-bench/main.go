// Command dialtone-bench measures dialtone beside its peers (Kamailio, dnsmasq, atftpd, nginx), where they are
// installed, in one run: the server on one core, the load on another.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pbx.dev/dialtone/internal/bench"
)

type runner struct {
	binary   string
	dir      string
	users    int
	duration time.Duration
	rounds   int
	jobs     string
	alone    bool
	contacts int
	port     int // next free block of ports
}

const (
	serverCore = 0
	loadCore   = 1
)

func main() {
	var r runner
	flag.StringVar(&r.binary, "binary", "bin/dialtone", "the dialtone to measure")
	flag.IntVar(&r.port, "port", 21000, "the ports of the servers are counted up from here")
	flag.IntVar(&r.users, "users", 2000, "extensions that register, and phones that fetch")
	flag.DurationVar(&r.duration, "duration", 5*time.Second, "time of each measurement")
	flag.IntVar(&r.rounds, "rounds", 1, "rounds; ours and the peers take turns")
	flag.StringVar(&r.jobs, "jobs", "memory,redis,files,render", "what to measure: memory, redis, million, render, files or single ones of files: tftp, image, http")
	flag.IntVar(&r.contacts, "contacts", 1_000_000, "contacts of million")
	flag.BoolVar(&r.alone, "alone", false, "without the peers")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	err := r.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (r *runner) run(ctx context.Context) error {
	var err error
	if r.dir, err = os.MkdirTemp("", "dialtone-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(r.dir)
	if err := os.Chmod(r.dir, 0o755); err != nil { // for peers that give up root
		return err
	}
	if runtime.NumCPU() > 1 {
		// The load stays off the server's core; children choose theirs with taskset.
		var set unix.CPUSet
		set.Set(loadCore)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return fmt.Errorf("pin the load: %w", err)
		}
	}
	runtime.GOMAXPROCS(2)
	fmt.Println(bench.Header)
	for range r.rounds {
		for _, job := range []struct {
			name string
			run  func(context.Context) error
		}{{"memory", r.registerMemory}, {"redis", r.registerRedis}, {"files", r.files}, {"dhcp", r.dhcp}, {"million", r.million}, {"render", r.render}} {
			if !r.wanted(job.name) {
				continue
			}
			if err := job.run(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// wanted reports whether a job was asked for, by its name or as one of the files.
func (r *runner) wanted(name string) bool {
	parts := map[string][]string{"files": {"tftp", "image", "http"}}
	jobs := strings.Split(r.jobs, ",")
	return slices.Contains(jobs, name) || slices.ContainsFunc(parts[name], func(p string) bool { return slices.Contains(jobs, p) })
}

// workdir makes a folder and reserves a block of ports for one server.
func (r *runner) workdir(name string) (string, int, error) {
	r.port += 10
	dir := filepath.Join(r.dir, fmt.Sprintf("%s.%d", name, r.port))
	return dir, r.port, os.Mkdir(dir, 0o755)
}

func installed(programs ...string) bool {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			fmt.Printf("# %s is not installed: no figures beside it\n", filepath.Base(p))
			return false
		}
	}
	return true
}

// measure runs load, prints a line and returns the result.
func (r *runner) measure(base *bench.Result, job, system string, load func() (bench.Result, error), procs ...*bench.Process) (*bench.Result, error) {
	before, err := bench.CPU(procs...)
	if err != nil {
		return nil, err
	}
	res, err := load()
	if err != nil {
		return nil, fmt.Errorf("%s on %s: %w", job, system, err)
	}
	after, err := bench.CPU(procs...)
	if err != nil {
		return nil, err
	}
	res.Job, res.System, res.CPU = job, system, after-before
	fmt.Println(res.Line(base))
	return &res, nil
}

// kinds are the measurements of REGISTER: as fast as the server can, with and without
// a challenge, then at a rate that leaves it time, for the latency.
var kinds = [...]struct {
	name    string
	refresh bool
	rate    int
}{{name: "challenge"}, {name: "refresh", refresh: true}, {name: "challenge 5000/s", rate: 5000}}

// registrations are the results of the kinds.
type registrations [len(kinds)]*bench.Result

// registration measures all kinds of REGISTER on one server.
func (r *runner) registration(ctx context.Context, base registrations, store, system, target string, procs ...*bench.Process) (out registrations, err error) {
	r.port += 10
	// The phones are the same all the time, at the same address.
	load := bench.SIPLoad{Target: target, Local: fmt.Sprintf("127.0.0.1:%d", r.port), Domain: "bench.test", Users: users(r.users), Parallel: 64, Duration: r.duration}
	for i, kind := range kinds {
		load.Refresh, load.Rate, load.CSeq = kind.refresh, kind.rate, i*1_000_000
		out[i], err = r.measure(base[i], kind.name+", "+store, system, func() (bench.Result, error) { return load.Run(ctx) }, procs...)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func users(n int) []bench.User {
	out := make([]bench.User, n)
	for i := range out {
		name := fmt.Sprint(1001 + i)
		out[i] = bench.User{Name: name, Auth: name, Password: "secret" + name}
	}
	return out
}

func (r *runner) registerMemory(ctx context.Context) error {
	var base registrations
	if !r.alone && installed("/usr/sbin/kamailio") {
		dir, port, err := r.workdir("kamailio")
		if err != nil {
			return err
		}
		k, err := bench.Kamailio(ctx, serverCore, dir, port, 0)
		if err != nil {
			return err
		}
		base, err = r.registration(ctx, base, "memory", "kamailio", fmt.Sprintf("127.0.0.1:%d", port), k)
		k.Stop()
		if err != nil {
			return err
		}
	}
	return r.ours(ctx, base, "embedded durable", "")
}

func (r *runner) registerRedis(ctx context.Context) error {
	if !installed("redis-server", "redis-cli") {
		return nil
	}
	var base registrations
	modules, _ := filepath.Glob("/usr/lib/*/kamailio/modules/db_redis.so")
	if !r.alone && len(modules) > 0 && installed("/usr/sbin/kamailio") {
		dir, port, err := r.workdir("kamailio-redis")
		if err != nil {
			return err
		}
		store, err := bench.Redis(ctx, serverCore, dir, port+1)
		if err != nil {
			return err
		}
		defer store.Stop()
		k, err := bench.Kamailio(ctx, serverCore, dir, port, port+1)
		if err != nil {
			return err
		}
		base, err = r.registration(ctx, base, "redis", "kamailio", fmt.Sprintf("127.0.0.1:%d", port), k, store)
		k.Stop()
		if err != nil {
			return err
		}
	}
	dir, port, err := r.workdir("redis")
	if err != nil {
		return err
	}
	store, err := bench.Redis(ctx, serverCore, dir, port)
	if err != nil {
		return err
	}
	defer store.Stop()
	return r.ours(ctx, base, "redis", fmt.Sprintf("redis://127.0.0.1:%d/0", port), store)
}

func (r *runner) ours(ctx context.Context, base registrations, store, redisURL string, more ...*bench.Process) error {
	dir, port, err := r.workdir("dialtone")
	if err != nil {
		return err
	}
	d, err := bench.StartDialtone(ctx, serverCore, r.binary, dir, port, redisURL)
	if err != nil {
		return err
	}
	defer d.Stop()
	for _, u := range users(r.users) {
		err := d.Post(ctx, "/v1/pbx/extensions", map[string]string{"number": u.Name, "sipUsername": u.Auth, "sipPassword": u.Password})
		if err != nil {
			return err
		}
	}
	_, err = r.registration(ctx, base, store, "dialtone", d.SIP, append(more, d.Process)...)
	return err
}
