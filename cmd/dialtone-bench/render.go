package main

import (
	"context"
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
// several runs, since other load on the machine makes every run slower. FusionPBX's
// template under Smarty runs beside it when its sources are given.
func (r *runner) render(ctx context.Context) error {
	const each, runs = 1000, 31
	var all []time.Duration
	var last bench.RenderResult
	for range runs {
		res, err := bench.Render(each)
		if err != nil {
			return err
		}
		all, last = append(all, res.CPUPerFile()), res
	}
	slices.Sort(all)
	fmt.Printf("render T46S, uncached | dialtone | %d bytes | CPU/file median %s, least %s | %.1f allocations | heap %+d bytes\n",
		last.Bytes, all[runs/2], all[0], last.AllocsPer, last.HeapGrown)
	return r.smarty(ctx)
}

// smarty runs FusionPBX's template where FUSIONPBX_TEMPLATE names it, RENDER_SCRIPT
// the script that renders it and php and Debian's smarty4 are installed; none of
// them is part of this repository.
func (r *runner) smarty(ctx context.Context) error {
	template, script := os.Getenv("FUSIONPBX_TEMPLATE"), os.Getenv("RENDER_SCRIPT")
	const library = "/usr/share/php/smarty4/Smarty.class.php"
	if _, err := os.Stat(library); err != nil || template == "" || script == "" || !installed("php") {
		fmt.Println("# FUSIONPBX_TEMPLATE, RENDER_SCRIPT, php or smarty4 are not there: no figures of Smarty beside it")
		return nil
	}
	dir := filepath.Join(r.dir, "smarty")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "php", "-d", "opcache.enable_cli=1", script, library, template, dir, fmt.Sprint(r.duration.Seconds()), "new").Output()
	if err != nil {
		return fmt.Errorf("smarty: %w", err)
	}
	fmt.Printf("render T46S | FusionPBX's template, Smarty | %s\n", strings.TrimSpace(string(out)))
	return nil
}
