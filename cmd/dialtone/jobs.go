package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// errAll keeps a slip from reaching every phone.
var errAll = errors.New("- means many phones: say which by a filter, or --all")

// started says which job runs and, unless detached, watches it.
func (c *apiClient) started(ctx context.Context, job object, detach bool) error {
	id := cellOf(job, "id")
	if detach {
		fmt.Println(id)
		return nil
	}
	fmt.Fprintln(os.Stderr, "job", id)
	return c.watch(ctx, id)
}

// watchEvery is how often a job is asked for.
const watchEvery = time.Second

// progress is a job as it is watched.
type progress struct {
	ID, State, Reason, EndedAt string
	Counts                     struct{ Total, Waiting, Working, Succeeded, Failed, Skipped int }
}

// watch draws how far a job is until it ends, is paused or halts; anything but that
// all phones succeeded is an error.
func (c *apiClient) watch(ctx context.Context, id string) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		var j progress
		if err := c.call(ctx, http.MethodGet, "/jobs/"+url.PathEscape(id), nil, &j); err != nil {
			return err
		}
		j.draw(os.Stderr)
		if j.EndedAt != "" || j.State == "halted" || j.State == "paused" {
			fmt.Fprintln(os.Stderr)
			return j.result()
		}
		select {
		case <-ctx.Done():
			fmt.Fprintf(os.Stderr, "\nthe job goes on; dialtone jobs watch %s shows it again\n", id)
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (j progress) draw(out io.Writer) {
	const width = 40
	done := j.Counts.Succeeded + j.Counts.Failed + j.Counts.Skipped
	full := done * width / max(j.Counts.Total, 1)
	fmt.Fprintf(out, "\r[%s%s] %d of %d, %d well, %d failed  ", strings.Repeat("#", full), strings.Repeat(" ", width-full), done, j.Counts.Total, j.Counts.Succeeded, j.Counts.Failed)
}

func (j progress) result() error {
	fmt.Printf("%s: %d succeeded, %d failed, %d skipped\n", j.State, j.Counts.Succeeded, j.Counts.Failed, j.Counts.Skipped)
	if j.Counts.Failed > 0 || j.Counts.Skipped > 0 || j.Counts.Waiting > 0 {
		return errors.New(strings.TrimSpace(fmt.Sprintf("not all phones are well. %s \"dialtone jobs phones %s\" says why", j.Reason, j.ID)))
	}
	return nil
}

// config prints a file of a phone.
func (c *apiClient) config(ctx context.Context, id, file string, explain bool) error {
	path, err := c.phonePath(ctx, id)
	if err != nil {
		return err
	}
	path += "/config"
	if file == "" {
		return c.get(ctx, http.MethodGet, path, nil)
	}
	path += "?file=" + url.QueryEscape(file)
	if !explain {
		return c.send(ctx, http.MethodGet, path, "", nil, os.Stdout)
	}
	var answer object
	if err := c.call(ctx, http.MethodGet, path+"&explain=1", nil, &answer); err != nil {
		return err
	}
	lines, _ := answer["lines"].([]any)
	return c.print(lines, "layer", "template", "templateLine", "revision", "text")
}
