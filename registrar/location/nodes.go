package location

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	nodesEvery = 2 * time.Second
	// nodeLate is how old the last sign of life of a node may be for it to be
	// called: three were due since.
	nodeLate     = 3 * probeWell
	nodeVanished = 30 * time.Second
	// nodeForgotten is how long after its last sign of life nothing is kept of a node.
	nodeForgotten = time.Hour
	nodesTimeout  = 2 * time.Second
	maxNodes      = 1000
	prunesAtOnce  = 16
)

// NodesOptions are the settings of Nodes. Store, Mirror and Drop are required.
type NodesOptions struct {
	Store  *Redis
	Mirror *Mirror
	// Drop removes what was registered over a connection that has ended: that of
	// the store that the mirror belongs to.
	Drop func(context.Context, FlowEnd) error
	// Every is the time between two looks, 0 is 2 s. Vanished is how long the sign
	// of life of a node must be missing before its connections count as ended, 0
	// is 30 s.
	Every, Vanished time.Duration
	Logger          *slog.Logger // nil discards
}

// Nodes knows the other nodes of a store, those that hold bindings, by the sign of
// life that Redis.Ping leaves, and removes what was registered over connections of
// a node that has vanished: nobody else could (a node that comes back does it
// itself). Contacts over UDP stay: their phones may be reached from elsewhere.
type Nodes struct {
	opts NodesOptions
	log  *slog.Logger
	wake chan struct{} // there is a node that was not seen yet; capacity 1

	mu    sync.Mutex
	peers map[string]*peer
}

// peer is what is known of one other node.
type peer struct {
	alive  bool // called upon
	addr   netip.AddrPort
	since  time.Time // the sign is missing; zero: it is there
	pruned bool
}

// NewNodes makes Nodes; Run keeps them.
func NewNodes(opts NodesOptions) *Nodes {
	if opts.Every <= 0 {
		opts.Every = nodesEvery
	}
	if opts.Vanished <= 0 {
		opts.Vanished = nodeVanished
	}
	n := &Nodes{opts: opts, log: opts.Logger, wake: make(chan struct{}, 1), peers: map[string]*peer{}}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	opts.Mirror.Subscribe(n.changed)
	return n
}

// changed learns from the bindings which nodes there are.
func (n *Nodes) changed(c Change) {
	node := c.Binding.Node
	if c.Kind != Added && c.Kind != Changed || node == "" || node == n.opts.Store.opts.Node {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.peers[node]
	switch {
	case p == nil && len(n.peers) < maxNodes:
		n.peers[strings.Clone(node)] = &peer{}
		select {
		case n.wake <- struct{}{}:
		default:
		}
	case p != nil && c.Binding.Flow != "":
		p.pruned = false
	}
}

// Peer is where another node is reached; false when it does not live, says no
// address, or is not known.
func (n *Nodes) Peer(node string) (netip.AddrPort, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.peers[node]
	if p == nil || !p.alive || !p.addr.IsValid() {
		return netip.AddrPort{}, false
	}
	return p.addr, true
}

// Run looks for the other nodes until ctx ends.
func (n *Nodes) Run(ctx context.Context) error {
	tick := time.NewTicker(n.opts.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		case <-tick.C:
		}
		for _, node := range n.look(ctx, time.Now()) {
			n.prune(ctx, node)
		}
	}
}

// look reads the signs of life and returns the nodes that have vanished.
func (n *Nodes) look(ctx context.Context, now time.Time) (vanished []string) {
	n.mu.Lock()
	names := make([]string, 0, len(n.peers))
	for name := range n.peers {
		names = append(names, name)
	}
	n.mu.Unlock()
	signs, err := n.opts.Store.signs(ctx, names)
	return n.judge(signs, err, now)
}

// judge goes by the signs of life, or by the error of not seeing them.
func (n *Nodes) judge(signs map[string]sign, err error, now time.Time) (vanished []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, p := range n.peers {
		s, there := signs[name]
		switch {
		case err != nil:
			// Who cannot be seen has not vanished. When Redis is back, all nodes need
			// a moment to say so.
			p.since = time.Time{}
		case there:
			p.alive, p.addr, p.since, p.pruned = s.left > heartbeat-nodeLate, s.addr, time.Time{}, false
		case p.since.IsZero():
			p.alive, p.since = false, now
		case now.Sub(p.since) >= n.opts.Vanished && !p.pruned:
			vanished = append(vanished, name)
		case now.Sub(p.since) >= nodeForgotten:
			delete(n.peers, name) // a container has a new name with every start
		}
	}
	return vanished
}
