package pgtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks are what /proc counts CPU time in: a hundredth of a second on Linux.
const ticks = 10 * time.Millisecond

// CPU is the CPU time that the server has used, connections that have ended included;
// 0 before it runs.
func (s *Server) CPU() time.Duration {
	if s.cmd == nil || s.cmd.Process == nil {
		return 0
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	parents, used := map[int]int{}, map[int]time.Duration{}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// pid (comm) state ppid pgrp ... utime stime cutime cstime, the 14th to the 17th
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil || len(fields) < 15 {
			continue
		}
		parents[pid], _ = strconv.Atoi(fields[1])
		for _, f := range fields[11:15] {
			n, _ := strconv.ParseInt(f, 10, 64)
			used[pid] += time.Duration(n) * ticks
		}
	}
	total := time.Duration(0)
	for pid := range used {
		for p := pid; p > 1; p = parents[p] {
			if p == s.cmd.Process.Pid && pid != p {
				total += used[pid]
				break
			}
		}
	}
	return total
}
