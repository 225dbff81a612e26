// Package webhook tells an HTTP server of somebody else how phones differ from what is
// provisioned: one POST of JSON for each change, signed, tried again for a while when
// it is not taken. What is to be told waits in a store, so that a restart loses nothing
// of it, and of several nodes one delivers. It never holds up who tells it.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
)

// Signature is the header that proves who sent the body: "t=UNIX,v1=HEX", where HEX is
// the HMAC-SHA256 of UNIX, a full stop and the body under the shared secret.
const Signature = "Dialtone-Signature"

// Ledger keeps what was told of each phone.
type Ledger interface {
	// TellDrift stores how phones differ, those of which something else was told
	// before; dropped is how many that waited had to go for them.
	TellDrift(ctx context.Context, events []phone.DriftEvent) (dropped int, err error)
	// ToldDrift returns the phones of which was told last that they differ.
	ToldDrift(ctx context.Context) (phoneIDs []string, err error)
}

// Outbox keeps what waits to be sent.
type Outbox interface {
	// NextOutgoing returns the oldest event, and keeps other nodes from delivering for
	// as long as lease. phone.ErrNotFound: none waits, or another node delivers. expired
	// is how many have waited too long.
	NextOutgoing(ctx context.Context, node string, lease time.Duration) (next phone.Outgoing, expired int, err error)
	// TriedOutgoing counts a try in vain, EndOutgoing forgets an event, LeaveOutgoing
	// lets another node deliver.
	TriedOutgoing(ctx context.Context, id int64) error
	EndOutgoing(ctx context.Context, id int64) error
	LeaveOutgoing(ctx context.Context, node string) error
}

// Options of New. URL, Ledger, Outbox, Current and Loaded are required.
type Options struct {
	URL    string
	Secret phone.Secret // zero: not signed
	Ledger Ledger
	Outbox Outbox
	Node   string // this node, as no other
	// Current returns how phones differ now: all that do, and those of told. It is
	// called when Loaded is closed, and compared with what was told before the start.
	Current func(told []string) []phone.DriftEvent
	Loaded  <-chan struct{}
	// Wait is the time before the second try, which doubles up to half of Lease; 0 is
	// 1 s. Lease is how long a node that is silent keeps the others from delivering; 0
	// is a minute.
	Wait, Lease time.Duration

	Now        func() time.Time      // nil: time.Now
	Logger     *slog.Logger          // nil: discard
	Registerer prometheus.Registerer // nil: none
}

// Sender stores what is told and sends it in that order.
type Sender struct {
	o      Options
	client *http.Client
	count  *prometheus.CounterVec
	told   chan struct{} // capacity 1: something is in news
	waits  chan struct{} // capacity 1: something may wait in the outbox

	mu   sync.Mutex
	news map[string]phone.DriftEvent // by phone, the newest of each, not stored yet
}

// New returns a sender; Run lets it work.
func New(o Options) (*Sender, error) {
	if o.URL == "" || o.Ledger == nil || o.Outbox == nil || o.Current == nil || o.Loaded == nil {
		return nil, errors.New("webhook: URL, Ledger, Outbox, Current and Loaded are required")
	}
	o.setDefaults()
	s := &Sender{
		o: o, told: make(chan struct{}, 1), waits: make(chan struct{}, 1), news: map[string]phone.DriftEvent{},
		client: &http.Client{
			Timeout: perTry,
			// A redirect would carry the body elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_webhook_events_total", Help: "Events for the webhook: sent, failed (refused, or after all tries), dropped since too many waited.",
		}, []string{"outcome"}),
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(s.count); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return s, nil
}

func (o *Options) setDefaults() {
	if o.Wait <= 0 {
		o.Wait = time.Second
	}
	if o.Lease <= 0 {
		o.Lease = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With("component", "webhook")
}

// Run stores and sends until ctx ends.
func (s *Sender) Run(ctx context.Context) error {
	defer s.client.CloseIdleConnections()
	var work sync.WaitGroup
	work.Go(func() { s.store(ctx) })
	s.send(ctx)
	work.Wait()
	return nil
}

// Look makes the sender look whether an event waits. It does not wait.
func (s *Sender) Look() { poke(s.waits) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits; false when ctx has ended. early ends it sooner.
func pause(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-early:
	case <-timer.C:
	}
	return true
}
