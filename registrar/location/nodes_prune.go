package location

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// prune removes what was registered over connections of a node that is gone.
func (n *Nodes) prune(ctx context.Context, node string) {
	flows := map[FlowEnd]bool{}
	for _, aor := range n.opts.Mirror.names("") {
		for _, b := range n.opts.Mirror.Bindings(aor) {
			if b.Node == node && b.Flow != "" {
				flows[FlowEnd{AOR: b.AOR, Node: b.Node, Boot: b.Boot, Flow: b.Flow}] = true
			}
		}
	}
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(prunesAtOnce)
	for f := range flows {
		g.Go(func() error { return n.opts.Drop(each, f) })
	}
	if err := g.Wait(); err != nil {
		if ctx.Err() == nil {
			n.log.WarnContext(ctx, "contacts of a node that is gone are not removed yet", slog.String("node", node), slog.Any("error", err))
		}
		return
	}
	n.mu.Lock()
	if p := n.peers[node]; p != nil && !p.since.IsZero() {
		p.pruned = true
	}
	n.mu.Unlock()
	if len(flows) > 0 {
		n.log.WarnContext(ctx, "a node is gone: what was registered over its connections is removed",
			slog.String("node", node), slog.Int("connections", len(flows)))
	}
}

// sign is the sign of life of a node.
type sign struct {
	addr netip.AddrPort
	left time.Duration // until it counts no more
}

// signs reads those of some nodes, in one round trip per server.
func (r *Redis) signs(ctx context.Context, nodes []string) (map[string]sign, error) {
	if len(nodes) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, nodesTimeout)
	defer cancel()
	pipe := r.client.Pipeline()
	values, ttls := make([]*redis.StringCmd, len(nodes)), make([]*redis.DurationCmd, len(nodes))
	for i, node := range nodes {
		values[i], ttls[i] = pipe.Get(ctx, r.nodeKey(node)), pipe.PTTL(ctx, r.nodeKey(node))
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	found := make(map[string]sign, len(nodes))
	for i, node := range nodes {
		switch err := values[i].Err(); {
		case errors.Is(err, redis.Nil):
		case err != nil:
			return nil, unavailable(fmt.Sprintf("read the sign of life of %.50q", node), err)
		default:
			_, addr, _ := strings.Cut(values[i].Val(), " ")
			s := sign{left: ttls[i].Val()}
			s.addr, _ = netip.ParseAddrPort(addr) // none: it is not to be called
			found[node] = s
		}
	}
	return found, nil
}
