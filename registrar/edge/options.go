package edge

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options configure a Server. The zero value of a limit is its default.
type Options struct {
	Handler Handler
	Grouper Grouper // nil: Handler.Register answers every REGISTER
	Rest    Rest    // nil: Handler.Other answers
	// Closed is called when a connection has ended, by the goroutine that read it.
	// It must not wait; nil does nothing.
	Closed func(Flow)
	// Failed is called when a connection failed before it could carry SIP. It must
	// not wait; nil does nothing.
	Failed func(Failure)
	// Origins are those of the pages that may open a WebSocket, such as
	// "https://phone.example"; none allows all.
	Origins []string
	// ForceRport: answers over UDP go where the request came from, whether or not it has
	// rport (RFC 3581). Phones that listen elsewhere get none then.
	ForceRport bool

	Workers        int           // REGISTERs in progress; 256
	Queue          int           // REGISTERs waiting for a worker, in groups under way, and messages waiting for Rest; 4096
	MaxConnections int           // 50 000
	MaxPerIP       int           // connections of one address that have not registered; 2048
	IdleTimeout    time.Duration // of a connection without a registration; 10 minutes
	MessageTimeout time.Duration // from the first byte of a message, or of a connection, to the last; 10 s
	WriteTimeout   time.Duration // of a write to a connection; 10 s
	// HandshakeTimeout is for TLS and the WebSocket upgrade together; 10 s.
	HandshakeTimeout time.Duration
	MaxHandshakes    int     // at once; 4096
	SourceRate       float64 // messages a second of one address that nobody has vouched for; 10 000
	SourceBurst      float64 // how many at once; 50 000

	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil keeps no metrics
}

func (o *Options) complete() {
	orInt := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	orTime := func(v *time.Duration, def time.Duration) {
		if *v <= 0 {
			*v = def
		}
	}
	orInt(&o.Workers, 256)
	orInt(&o.Queue, 4096)
	orInt(&o.MaxConnections, 50_000)
	orInt(&o.MaxPerIP, 2048)
	orTime(&o.IdleTimeout, 10*time.Minute)
	orTime(&o.MessageTimeout, 10*time.Second)
	orTime(&o.WriteTimeout, 10*time.Second)
	orTime(&o.HandshakeTimeout, 10*time.Second)
	orInt(&o.MaxHandshakes, 4096)
	if o.SourceRate <= 0 {
		o.SourceRate = 10_000
	}
	if o.SourceBurst <= 0 {
		o.SourceBurst = 50_000
	}
	if o.Closed == nil {
		o.Closed = func(Flow) {}
	}
	if o.Failed == nil {
		o.Failed = func(Failure) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}
