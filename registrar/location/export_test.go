package location

// Watchers is how many Watches a Memory has.
func Watchers(m *Memory) int {
	m.watchers.mu.Lock()
	defer m.watchers.mu.Unlock()
	return len(m.watchers.all)
}

// BreakDisk makes the next write to the journal fail. Nothing must be under way.
func BreakDisk(m *Memory) { m.committer.journal.file.Close() }

// ShardOf is the shard of an AOR in Redis.
func ShardOf(aor AOR, n int) int { return shardOf(aor, n) }

// Waiting is how many AORs r holds something of for its store.
func Waiting(r *Resilient) int64 { return r.waiting.Load() }

// HearLog changes who hears of a log that does not run.
func HearLog(l *EventLog, heard func(LogEntry)) { l.opts.Heard = heard }
