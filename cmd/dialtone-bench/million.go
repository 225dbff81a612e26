package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/bench"
	"pbx.dev/dialtone/registrar/location"
)

// mirrored is the figure of the contacts that the list is made of.
const mirrored = `dialtone_location_bindings{store="mirror"}`

// million measures a server that starts with many contacts: what they take in memory,
// how long it is until all are listed, and how long the list and its statistics take.
func (r *runner) million(ctx context.Context) error {
	for _, store := range []func(context.Context) error{r.millionEmbedded, r.millionRedis} {
		if err := store(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) millionEmbedded(ctx context.Context) error {
	dir, port, err := r.workdir("million")
	if err != nil {
		return err
	}
	empty, err := r.emptyHeap(ctx, "")
	if err != nil {
		return err
	}
	store, err := location.NewMemory(location.MemoryOptions{Dir: filepath.Join(dir, "registrations")})
	if err != nil {
		return err
	}
	took, err := bench.LoadContacts(ctx, store, r.contacts)
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	fmt.Printf("%d contacts, embedded: written in %.1f s\n", r.contacts, took.Seconds())
	return r.startMillion(ctx, dir, port, "", empty)
}

func (r *runner) millionRedis(ctx context.Context) error {
	if !installed("redis-server", "redis-cli") {
		return nil
	}
	dir, port, err := r.workdir("million-redis")
	if err != nil {
		return err
	}
	server, err := bench.Redis(ctx, serverCore, dir, port+5)
	if err != nil {
		return err
	}
	defer server.Stop()
	url := fmt.Sprintf("redis://127.0.0.1:%d/0", port+5)
	empty, err := r.emptyHeap(ctx, url)
	if err != nil {
		return err
	}
	before, err := usedMemory(ctx, port+5)
	if err != nil {
		return err
	}
	took, err := r.fillRedis(ctx, url)
	if err != nil {
		return err
	}
	after, err := usedMemory(ctx, port+5)
	if err != nil {
		return err
	}
	fmt.Printf("%d contacts, redis: written in %.1f s, %d bytes each in redis\n", r.contacts, took.Seconds(), (after-before)/int64(r.contacts))
	return r.startMillion(ctx, dir, port, url, empty)
}

func (r *runner) fillRedis(ctx context.Context, url string) (time.Duration, error) {
	client, err := location.OpenRedis(ctx, url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = client.Close() }() // everything is acknowledged by then
	store, err := location.NewRedis(location.RedisOptions{Client: client, Node: "loader"})
	if err != nil {
		return 0, err
	}
	defer func() { _ = store.Close() }() // always nil
	return bench.LoadContacts(ctx, store, r.contacts)
}

func usedMemory(ctx context.Context, port int) (int64, error) {
	out, err := exec.CommandContext(ctx, "redis-cli", "-p", strconv.Itoa(port), "info", "memory").Output()
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(out), "used_memory:")
	digits, _, _ := strings.Cut(rest, "\r")
	return strconv.ParseInt(digits, 10, 64)
}

// emptyHeap is the heap of a server without contacts, in bytes.
func (r *runner) emptyHeap(ctx context.Context, redisURL string) (float64, error) {
	dir, port, err := r.workdir("empty")
	if err != nil {
		return 0, err
	}
	d, err := bench.StartDialtone(ctx, serverCore, r.binary, dir, port, redisURL)
	if err != nil {
		return 0, err
	}
	defer d.Stop()
	return heap(ctx, d, 2*time.Second)
}

// heap is the smallest heap that is seen within some time: what lives, with little of
// what is garbage.
func heap(ctx context.Context, d *bench.Dialtone, within time.Duration) (least float64, err error) {
	tick := time.NewTicker(within / 20)
	defer tick.Stop()
	for range 20 {
		<-tick.C
		now, err := d.Metric(ctx, "go_memstats_heap_alloc_bytes")
		if err != nil {
			return 0, err
		}
		if least == 0 || now < least {
			least = now
		}
	}
	return least, nil
}

// startMillion starts the server on what was written and measures it.
func (r *runner) startMillion(ctx context.Context, dir string, port int, redisURL string, empty float64) error {
	start := time.Now()
	d, err := bench.StartDialtone(ctx, serverCore, r.binary, dir, port, redisURL)
	if err != nil {
		return err
	}
	defer d.Stop()
	up := time.Since(start)
	wait, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := d.Await(wait, mirrored, float64(r.contacts)); err != nil {
		return err
	}
	fmt.Printf("  start: the API answers after %.1f s, all contacts are read after %.1f s\n", up.Seconds(), time.Since(start).Seconds())
	full, err := heap(ctx, d, 30*time.Second)
	if err != nil {
		return err
	}
	rss, err := d.RSS()
	if err != nil {
		return err
	}
	n := float64(r.contacts)
	fmt.Printf("  memory: %.0f bytes of heap each, %.0f MB resident in all\n", (full-empty)/n, float64(rss)/1e6)
	return r.lists(ctx, d)
}

func (r *runner) lists(ctx context.Context, d *bench.Dialtone) error {
	for _, path := range []string{"/v1/pbx/phones/stats", "/v1/pbx/phones?limit=50", "/v1/pbx/phones?limit=50&q=1015000"} {
		res := bench.Result{Job: path, System: "dialtone"}
		for range 50 {
			_, took, err := d.Get(ctx, path)
			if err != nil {
				return err
			}
			res.Latency = append(res.Latency, took)
		}
		fmt.Printf("  GET %s: p50 %.2f ms, p99 %.2f ms\n", path,
			float64(res.Percentile(0.5).Microseconds())/1000, float64(res.Percentile(0.99).Microseconds())/1000)
	}
	return nil
}
