package httpd

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// The bounds of a connection. Phones are slow, and there are many of them.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 30 * time.Second
	maxHeader     = 16 << 10 // bytes
	slowest       = 32 << 10 // bytes per second, for files that take longer than writeTimeout

	// MaxConnections is how many phones a listener of Limit talks to at a time, when
	// the caller has no number of its own.
	MaxConnections = 4096
)

// NewServer returns a server with all its timeouts and limits for h. The caller
// sets TLSConfig, serves a listener and shuts it down. logger may be nil.
func NewServer(h http.Handler, logger *slog.Logger) *http.Server {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// Limit returns a listener with at most n open connections; further ones wait in
// the kernel. n < 1 means MaxConnections.
func Limit(l net.Listener, n int) net.Listener {
	if n < 1 {
		n = MaxConnections
	}
	return netutil.LimitListener(l, n)
}
