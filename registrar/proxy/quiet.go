package proxy

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/time/rate"
)

// quietHandler is what sipgo logs through: warnings and errors only, a few per
// second, and without the messages themselves, which hold digests and which
// anybody on the network can make large and many.
type quietHandler struct {
	next  slog.Handler
	limit *rate.Limiter
}

func newQuietHandler(next slog.Handler) *quietHandler {
	return &quietHandler{next: next, limit: rate.NewLimiter(rate.Every(time.Second), 10)}
}

// Enabled implements slog.Handler.
func (h *quietHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.next.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (h *quietHandler) Handle(ctx context.Context, r slog.Record) error {
	if !h.limit.Allow() {
		return nil
	}
	out := slog.NewRecord(r.Time, r.Level, "sip library: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "error", "laddr", "raddr", "addr":
			out.AddAttrs(slog.String(a.Key, shorten(a.Value.String(), 200)))
		}
		return true
	})
	return h.next.Handle(ctx, out)
}

// WithAttrs implements slog.Handler; sipgo's own attributes are not kept.
func (h *quietHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h *quietHandler) WithGroup(string) slog.Handler { return h }

func shorten(s string, n int) string {
	if len(s) > n {
		return s[:n] + "..."
	}
	return s
}
