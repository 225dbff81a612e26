// Package bench measures dialtone beside its peers: the load generators, the
// processes under test and the CPU time that they use. It is used by
// cmd/dialtone-bench only, which `make bench` runs.
package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTick is USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// Process is a server under test, pinned to one core.
type Process struct {
	Name string
	cmd  *exec.Cmd
	log  *bytes.Buffer
}

// Start runs a server pinned to core until Stop; a failed start returns what the
// server printed.
func Start(ctx context.Context, core int, name string, args ...string) (*Process, error) {
	full := append([]string{"-c", strconv.Itoa(core), name}, args...)
	cmd := exec.CommandContext(ctx, "taskset", full...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &Process{Name: filepath.Base(name), cmd: cmd, log: &bytes.Buffer{}}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// Stop ends the process and all its children, gently first.
func (p *Process) Stop() {
	pgid := p.cmd.Process.Pid
	_ = syscall.Kill(-pgid, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // how it ended does not matter any more
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = syscall.Kill(-pgid, syscall.SIGKILL)
		<-done
	}
}

// Output is what the process printed so far; call it after Stop only.
func (p *Process) Output() string { return p.log.String() }

// CPU returns the CPU time used so far by the processes and their children.
func CPU(procs ...*Process) (time.Duration, error) {
	var sum time.Duration
	for _, p := range procs {
		pids, err := group(p.cmd.Process.Pid)
		if err != nil {
			return 0, err
		}
		for _, pid := range pids {
			d, err := cpuOf(pid)
			if err != nil {
				return 0, fmt.Errorf("cpu of %s: %w", p.Name, err)
			}
			sum += d
		}
	}
	return sum, nil
}

// group lists the live processes of a process group, and those that left it but
// still are children of one in it (daemons that make a group of their own).
func group(pgid int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var pids []int
	in := map[int]bool{pgid: true}
	for range 2 { // children may be listed before their parents
		for _, name := range stats {
			f, err := statFields(name)
			if err != nil {
				continue // ended meanwhile
			}
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			ppid, _ := strconv.Atoi(f[1])
			grp, _ := strconv.Atoi(f[2])
			if (grp == pgid || in[ppid] || pid == pgid) && (!in[pid] || len(pids) == 0) {
				in[pid] = true
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}

func cpuOf(pid int) (time.Duration, error) {
	f, err := statFields(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, s := range f[11:15] { // utime, stime and those of ended children
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// statFields returns the fields of /proc/PID/stat after the command name.
func statFields(name string) ([]string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	i := bytes.LastIndexByte(b, ')')
	if i < 0 || i+2 > len(b) {
		return nil, fmt.Errorf("%s: not understood", name)
	}
	return strings.Fields(string(b[i+2:])), nil
}
