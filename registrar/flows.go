package registrar

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/location"
)

// Bounds of what ends with connections. A power cut can close all of them at
// once; what does not fit ends with its expiry.
const (
	dropsWaiting = 1 << 17
	dropsAtOnce  = 64
	dropTimeout  = 5 * time.Second
	dropRetry    = time.Second // while the store is away
	dropLinger   = time.Second // for those that are left when the server stops
)

// flowKeeper knows what was registered over each open connection, and removes it
// when the connection has ended: nobody could be reached over it any more.
type flowKeeper struct {
	server *Server
	drops  *prometheus.CounterVec
	ctx    context.Context // ends with stop
	cancel context.CancelFunc

	mu      sync.Mutex
	aors    map[string]map[location.AOR]struct{} // by flow id
	queue   []location.FlowEnd
	queued  map[location.FlowEnd]struct{} // the same, to ask each once
	working int
	stopped bool
	idle    sync.WaitGroup // of the workers
}

func newFlowKeeper(s *Server) *flowKeeper {
	k := &flowKeeper{
		server: s, aors: map[string]map[location.AOR]struct{}{}, queued: map[location.FlowEnd]struct{}{},
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_sip_flow_ends_total", Help: "Extensions whose contacts over a connection that ended were removed, by outcome.",
		}, []string{"outcome"}),
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	if reg := s.opts.Registerer; reg != nil {
		reg.MustRegister(k.drops)
	}
	return k
}

// note says that aor has registered over a flow.
func (k *flowKeeper) note(flow edge.Flow, aor location.AOR) {
	if flow.ID == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.aors[flow.ID] == nil {
		k.aors[flow.ID] = make(map[location.AOR]struct{}, 1)
	}
	k.aors[flow.ID][aor] = struct{}{}
}

// ended says that a connection has ended. It does not wait.
func (k *flowKeeper) ended(flow edge.Flow) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for aor := range k.aors[flow.ID] {
		k.addLocked(location.FlowEnd{AOR: aor, Node: k.server.opts.Node, Boot: k.server.opts.Boot, Flow: flow.ID})
	}
	delete(k.aors, flow.ID)
}

func (k *flowKeeper) add(f location.FlowEnd) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.addLocked(f)
}

// addLocked queues f, and starts a worker while there are few.
func (k *flowKeeper) addLocked(f location.FlowEnd) {
	if _, twice := k.queued[f]; twice || k.stopped {
		return
	}
	if len(k.queue) >= dropsWaiting {
		k.drops.WithLabelValues("too-many").Inc()
		return
	}
	k.queue = append(k.queue, f)
	k.queued[f] = struct{}{}
	if k.working < dropsAtOnce {
		k.working++
		k.idle.Go(k.work)
	}
}

// work removes what is queued, and ends when nothing is.
func (k *flowKeeper) work() {
	for {
		f, ok := k.next()
		if !ok {
			return
		}
		err := k.drop(f)
		switch {
		case err == nil:
			k.drops.WithLabelValues("done").Inc()
		case k.ctx.Err() != nil:
			k.drops.WithLabelValues("failed").Inc()
		case errors.Is(err, location.ErrUnavailable):
			k.later(f)
		default:
			k.drops.WithLabelValues("failed").Inc()
			k.server.log.Error("cannot remove the contacts of a connection that ended", "aor", string(f.AOR), "error", err)
		}
	}
}

func (k *flowKeeper) next() (location.FlowEnd, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.queue) == 0 {
		k.working--
		k.queue = nil // let the space of a storm go
		return location.FlowEnd{}, false
	}
	f := k.queue[0]
	k.queue = k.queue[1:]
	delete(k.queued, f)
	return f, true
}

func (k *flowKeeper) drop(f location.FlowEnd) (err error) {
	defer func() {
		if p := recover(); p != nil {
			k.server.log.Error("panic while removing contacts", "panic", p, "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	ctx, cancel := context.WithTimeout(k.ctx, dropTimeout)
	defer cancel()
	return k.server.opts.Store.Drop(ctx, f)
}

// later queues f again when the store has had time to come back.
func (k *flowKeeper) later(f location.FlowEnd) {
	wait := time.NewTimer(dropRetry)
	defer wait.Stop()
	select {
	case <-wait.C:
		k.add(f)
	case <-k.ctx.Done():
	}
}

// stop waits until all is removed, for dropLinger at most. What is left is
// removed at the next start.
func (k *flowKeeper) stop() {
	k.mu.Lock()
	k.stopped = true
	k.mu.Unlock()
	timeout := time.AfterFunc(dropLinger, func() {
		k.mu.Lock()
		k.queue = nil
		k.mu.Unlock()
		k.cancel()
	})
	k.idle.Wait()
	timeout.Stop()
	k.cancel()
}

// Reap removes a binding, as it was found in the store, if it was registered with
// this node over a connection that is not open any more, such as one of the run
// before. It does not wait.
func (s *Server) Reap(b location.Binding) {
	if b.Flow != "" && b.Node == s.opts.Node && !s.Alive(b) {
		s.flows.add(location.FlowEnd{AOR: b.AOR, Node: b.Node, Boot: b.Boot, Flow: b.Flow})
	}
}

// closed is told by the edge of the end of a connection.
func (s *Server) closed(flow edge.Flow) {
	s.flows.ended(flow)
	if s.opts.Closed != nil {
		s.opts.Closed(flow)
	}
}
