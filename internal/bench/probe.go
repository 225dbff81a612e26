package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// RSS is the memory that a process has in RAM, in bytes.
func (p *Process) RSS() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := bytes.Cut(b, []byte("VmRSS:"))
	if !ok {
		return 0, fmt.Errorf("no VmRSS of %s", p.Name)
	}
	fields := bytes.Fields(rest)
	kB, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return kB << 10, err
}

// Metric is a figure of the server's own, by its name and labels as they are written;
// 0 when there is none.
func (d *Dialtone) Metric(ctx context.Context, name string) (float64, error) {
	body, _, err := d.Get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, lines.Err()
}

// Await asks every tenth of a second until the figure is at least want.
func (d *Dialtone) Await(ctx context.Context, name string, want float64) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := d.Metric(ctx, name)
		if err == nil && got >= want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is %.0f, not %.0f: %w", name, got, want, ctx.Err())
		case <-tick.C:
		}
	}
}

// Get calls the REST API, wants a 200 and says how long that took.
func (d *Dialtone) Get(ctx context.Context, path string) ([]byte, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.Admin+path, http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+d.key)
	start := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, res.Status)
	}
	return body, time.Since(start), err
}
