package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/bench"
)

// render measures a T46S's file, uncached, in CPU time: the median and the least of
// several runs, since other load on the machine makes every run slower. The same
// template in Smarty's language takes turns with ours where php and smarty4 are
// installed, and FusionPBX's template runs beside them when its sources are given.
func (r *runner) render(ctx context.Context) error {
	const each, runs = 1000, 31
	var all []time.Duration
	var last bench.RenderResult
	fresh, kept := smartyRuns{mode: "an object for each file"}, smartyRuns{mode: "one object", reuse: true}
	for i := range runs {
		res, err := bench.Render(each)
		if err != nil {
			return err
		}
		all, last = append(all, res.CPUPerFile()), res
		if i%10 == 0 && !r.alone && smartyThere() {
			if err := errors.Join(fresh.run(ctx, r), kept.run(ctx, r)); err != nil {
				return err
			}
		}
	}
	slices.Sort(all)
	fmt.Printf("render T46S, uncached | dialtone | %d bytes | CPU/file median %s, least %s | %.1f allocations | heap %+d bytes\n",
		last.Bytes, all[runs/2], all[0], last.AllocsPer, last.HeapGrown)
	if r.alone {
		return nil
	}
	if !smartyThere() {
		fmt.Println("# php-cli or smarty4 is not installed: no figures of Smarty beside it")
		return nil
	}
	fresh.print(all[runs/2])
	kept.print(all[runs/2])
	return r.fusionpbx(ctx)
}

func smartyThere() bool { return installed("php") && bench.SmartyLibrary() != "" }

// smartyRuns are the runs of our template under Smarty.
type smartyRuns struct {
	mode  string
	reuse bool
	all   []time.Duration
	bytes int
}

func (s *smartyRuns) run(ctx context.Context, r *runner) error {
	dir := filepath.Join(r.dir, "smarty")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	res, err := bench.Smarty(ctx, bench.SmartyLibrary(), dir, r.duration/8, s.reuse)
	s.all, s.bytes = append(s.all, res.CPUPerFile()), res.Bytes
	return err
}

func (s *smartyRuns) print(ours time.Duration) {
	slices.Sort(s.all)
	median := s.all[len(s.all)/2]
	fmt.Printf("render T46S, the same file | Smarty, %s | %d bytes | CPU/file median %s, least %s | ratio %.2f\n",
		s.mode, s.bytes, median, s.all[0], float64(ours)/float64(median))
}

// fusionpbx runs FusionPBX's template where FUSIONPBX_TEMPLATE names it and
// RENDER_SCRIPT the script that renders it; neither is part of this repository.
func (r *runner) fusionpbx(ctx context.Context) error {
	template, script := os.Getenv("FUSIONPBX_TEMPLATE"), os.Getenv("RENDER_SCRIPT")
	if template == "" || script == "" {
		return nil
	}
	dir := filepath.Join(r.dir, "fusionpbx")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "php", "-d", "opcache.enable_cli=1", script, bench.SmartyLibrary(), template, dir, fmt.Sprint(r.duration.Seconds()), "new").Output()
	if err != nil {
		return fmt.Errorf("fusionpbx: %w", err)
	}
	fmt.Printf("render T46S | FusionPBX's template, Smarty | %s\n", strings.TrimSpace(string(out)))
	return nil
}
