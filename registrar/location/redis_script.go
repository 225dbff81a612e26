package location

import (
	"context"
	"crypto/sha1"
	_ "embed" // for the scripts
	"encoding/hex"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/apply.lua
	applyLua string
	//go:embed lua/lookup.lua
	lookupLua string
	//go:embed lua/values.lua
	valuesLua string
	//go:embed lua/sweep.lua
	sweepLua string
	//go:embed lua/position.lua
	positionLua string
)

// script is a Lua program and the name Redis knows it by.
type script struct{ text, sha string }

type scripts struct {
	apply, lookup, values, sweep, position, drop, restore script
}

func newScripts() scripts {
	load := func(text string) script {
		// Redis names scripts by SHA-1; it protects nothing here.
		sum := sha1.Sum([]byte(text))
		return script{text: text, sha: hex.EncodeToString(sum[:])}
	}
	return scripts{
		apply: load(applyLua), lookup: load(lookupLua), values: load(valuesLua), sweep: load(sweepLua),
		position: load(positionLua), drop: load(dropLua), restore: load(restoreLua),
	}
}

// command makes EVALSHA, or EVAL with the whole script. args are the keys and
// then the arguments.
func (s *script) command(ctx context.Context, whole bool, keys int, args []any) *redis.Cmd {
	all := make([]any, 3, 3+len(args))
	all[0], all[1], all[2] = "evalsha", s.sha, keys
	if whole {
		all[0], all[1] = "eval", s.text
	}
	cmd := redis.NewCmd(ctx, append(all, args...)...)
	cmd.SetFirstKeyPos(3) // what a Cluster routes by
	return cmd
}

// noScript reports whether Redis has forgotten the script, as after a restart.
func noScript(err error) bool {
	return err != nil && (errors.Is(err, redis.ErrNoScript) || strings.HasPrefix(err.Error(), "NOSCRIPT"))
}

// run runs a script through the pipeline that concurrent callers share. The
// reply of every script but sweep and position is a list.
func (r *Redis) run(ctx context.Context, s *script, keys int, args []any) ([]any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cmd := s.command(ctx, false, keys, args)
	err := r.pipe.Process(ctx, cmd)
	if noScript(err) || noScript(cmd.Err()) {
		cmd = s.command(ctx, true, keys, args)
		_ = r.pipe.Process(ctx, cmd)
	}
	reply, err := cmd.Slice()
	if err != nil {
		return nil, err
	}
	if len(reply) == 0 {
		return nil, errors.New("empty reply")
	}
	return reply, nil
}

// runShards runs a script once per shard, in one pipeline per server.
func (r *Redis) runShards(ctx context.Context, s *script, args func(*redisShard) (keys int, args []any)) ([]*redis.Cmd, error) {
	cmds := make([]*redis.Cmd, len(r.shards))
	pipe := r.client.Pipeline()
	for i := range r.shards {
		keys, list := args(&r.shards[i])
		cmds[i] = s.command(ctx, false, keys, list)
		_ = pipe.Process(ctx, cmds[i])
	}
	_, _ = pipe.Exec(ctx)
	for i := range r.shards {
		if noScript(cmds[i].Err()) {
			keys, list := args(&r.shards[i])
			cmds[i] = s.command(ctx, true, keys, list)
			_ = r.client.Process(ctx, cmds[i])
		}
		if err := cmds[i].Err(); err != nil {
			return nil, err
		}
	}
	return cmds, nil
}
