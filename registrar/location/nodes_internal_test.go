package location

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestNodesAreForgotten: nodes that come under a new name with every start do not use
// up the places of those that live.
func TestNodesAreForgotten(t *testing.T) {
	t.Parallel()
	n := &Nodes{opts: NodesOptions{Vanished: nodeVanished}, peers: map[string]*peer{}}
	now := time.Unix(1_700_000_000, 0)
	for i := range maxNodes {
		n.peers[fmt.Sprint("old", i)] = &peer{}
	}
	n.judge(nil, nil, now)
	now = now.Add(nodeVanished)
	vanished := n.judge(nil, nil, now)
	if len(vanished) != maxNodes {
		t.Fatalf("%d have vanished, want %d", len(vanished), maxNodes)
	}
	for _, name := range vanished[:maxNodes-1] {
		n.peers[name].pruned = true
	}
	live, late := "live", vanished[maxNodes-1]
	n.peers[live] = &peer{}
	signs := map[string]sign{live: {left: heartbeat}}
	n.judge(nil, errors.New("redis is away"), now.Add(time.Minute)) // tells nothing
	for range 3 {
		now = now.Add(nodeForgotten)
		n.judge(signs, nil, now)
	}
	if n.peers[live] == nil || n.peers[late] == nil || len(n.peers) != 2 {
		t.Errorf("%d are known, want the one that lives and the one that is not pruned yet", len(n.peers))
	}
}
