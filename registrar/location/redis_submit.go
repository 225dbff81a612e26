package location

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/redis/go-redis/v9"
)

const (
	// scriptUpdates is how many updates one script makes at most, since nothing else
	// runs in the server meanwhile: half a millisecond.
	scriptUpdates = 64
	// redisSenders is how many scripts may be on their way at a time. While one is,
	// the next is begun only when it is full: what waits travels together.
	redisSenders = 8
)

// Submit implements Submitter.
func (r *Redis) Submit(updates []Update, done func([]Outcome)) {
	if r.queue.put(submission{updates, done}, &r.work, r.sendAll) {
		return
	}
	outs := make([]Outcome, len(updates))
	for i := range outs {
		outs[i].Err = unavailable("apply to "+string(updates[i].AOR), errClosed)
		r.outcomes.unavailable.Inc()
	}
	done(outs)
}

// sendAll sends what waits until nothing does.
func (r *Redis) sendAll() {
	for batch := r.queue.take(); len(batch) > 0; batch = r.queue.take() {
		r.send(batch)
	}
}

// send makes some submissions with one script, or in a Cluster one per shard in one
// pipeline, and hands the outcomes out.
func (r *Redis) send(batch []submission) {
	n := 0
	for i := range batch {
		n += len(batch[i].updates)
	}
	outs := make([]Outcome, n)
	r.guard(outs, func() {
		calls := r.calls(batch, outs)
		start := r.now()
		r.runCalls(calls)
		r.metrics.commit.Observe(r.now().Sub(start).Seconds())
		r.metrics.batch.Observe(float64(n))
	})
	for i := range batch {
		n := len(batch[i].updates)
		for j := range outs[:n] {
			r.outcomes.count(outs[j].Err)
		}
		r.guard(nil, func() { batch[i].done(outs[:n:n]) })
		outs = outs[n:]
	}
}

// guard survives a panic of do, and gives the outcomes to nobody's advantage.
func (r *Redis) guard(outs []Outcome, do func()) {
	defer func() {
		if p := recover(); p != nil {
			r.metrics.panics.Inc()
			r.log.Error("panic in update", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			for i := range outs {
				outs[i] = Outcome{Err: unavailable("apply", errPanic)}
			}
		}
	}()
	do()
}

// calls sorts updates into the scripts that make them. What means nothing is refused
// here.
func (r *Redis) calls(batch []submission, outs []Outcome) []*scriptCall {
	_, cluster := r.client.(*redis.ClusterClient)
	var calls []*scriptCall
	ofShard := map[int]*scriptCall{}
	for i := range batch {
		for j := range batch[i].updates {
			item := scriptItem{update: &batch[i].updates[j], out: &outs[0]}
			outs = outs[1:]
			var err error
			if item.contacts, err = check(item.update); err != nil {
				item.out.Err = refused(item.update, err)
				continue
			}
			shard := 0
			if cluster { // all keys of a script are on one server
				shard = shardOf(item.update.AOR, len(r.shards))
			}
			c := ofShard[shard]
			if c == nil {
				c = newScriptCall(len(outs) + 1)
				if cluster {
					c = newScriptCall(1)
				}
				ofShard[shard] = c
				calls = append(calls, c)
			}
			c.add(r, item)
		}
	}
	return calls
}

// runCalls runs scripts in one round trip.
func (r *Redis) runCalls(calls []*scriptCall) {
	// No context ends them: the timeouts of the client do.
	ctx := context.Background()
	cmds := make([]*redis.Cmd, len(calls))
	keys, args := make([]int, len(calls)), make([][]any, len(calls))
	for i, c := range calls {
		keys[i], args[i] = c.command(r.opts.StreamLen)
		cmds[i] = r.scripts.apply.command(ctx, false, keys[i], args[i])
	}
	if len(cmds) == 1 {
		_ = r.client.Process(ctx, cmds[0]) // the command has its error
	} else if len(cmds) > 1 {
		pipe := r.client.Pipeline()
		for _, cmd := range cmds {
			_ = pipe.Process(ctx, cmd)
		}
		_, _ = pipe.Exec(ctx)
	}
	for i, c := range calls {
		if noScript(cmds[i].Err()) {
			cmds[i] = r.scripts.apply.command(ctx, true, keys[i], args[i])
			_ = r.client.Process(ctx, cmds[i])
		}
		reply, err := cmds[i].Slice()
		if err == nil && len(reply) == 0 {
			err = errReply
		}
		c.settle(reply, err)
	}
}

var (
	errClosed = errors.New("closed")
	errPanic  = errors.New("internal error")
)

func refused(u *Update, err error) error { return fmt.Errorf("apply to %s: %w", u.AOR, err) }
