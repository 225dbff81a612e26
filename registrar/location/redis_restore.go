package location

import (
	"context"
	_ "embed" // for the script

	"github.com/redis/go-redis/v9"
)

//go:embed lua/restore.lua
var restoreLua string

// Held is a binding as a node knows it, whatever the store says.
type Held struct {
	Binding
	Gone bool // the phone has removed it, with this Call-ID and CSeq at RefreshedAt
}

// Restore writes what a node knows and Redis may not: refreshes that were granted
// while it was out of reach, and bindings that it has lost. Newer data stays: in
// the same call the CSeq decides, else who refreshed last. One round trip for all;
// after an error it may be repeated.
func (r *Redis) Restore(ctx context.Context, held []Held) error {
	cmds := make([]*redis.Cmd, len(held))
	pipe := r.client.Pipeline()
	for i := range held {
		cmds[i] = r.scripts.restore.command(ctx, false, 4, r.restoreArgs(&held[i]))
		_ = pipe.Process(ctx, cmds[i])
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i := range held {
		if noScript(cmds[i].Err()) {
			cmds[i] = r.scripts.restore.command(ctx, true, 4, r.restoreArgs(&held[i]))
			_ = r.client.Process(ctx, cmds[i])
		}
		if err := cmds[i].Err(); err != nil {
			return unavailable("restore "+string(held[i].AOR), err)
		}
	}
	return nil
}

func (r *Redis) restoreArgs(h *Held) []any {
	s := r.shard(h.AOR)
	aor, id := escape(string(h.AOR)), escape(h.ID)
	gone := "0"
	if h.Gone {
		gone = "1"
	}
	callID, content := appendString(nil, h.CallID), appendContent(nil, &h.Binding, h.AOR)
	return []any{
		s.aors + aor, s.index, s.stream, s.contacts + aor + ":" + id,
		id, aor + "|" + id, gone, toMillis(h.RegisteredAt), toMillis(h.RefreshedAt), toMillis(h.ExpiresAt),
		string(appendCSeq(nil, h.CSeq)), string(callID), string(content), string(appendHash(nil, callID, content)), r.opts.StreamLen,
	}
}

// Lost reports whether Redis has lost bindings of the shard of aor since Regained
// was called: the entry that the Watch stood on is gone from a stream that was too
// short to be cut.
func (r *Redis) Lost(aor AOR) bool { return r.shard(aor).lost.Load() }

// Regained ends what Lost reports: who knows the lost bindings has noted them.
func (r *Redis) Regained() {
	for i := range r.shards {
		r.shards[i].lost.Store(false)
	}
}
