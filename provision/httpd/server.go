package httpd

import (
	"log/slog"
	"net/http"
	"time"
)

// The bounds of a connection. Phones are slow, and there are many of them.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 30 * time.Second
	maxHeader     = 16 << 10 // bytes
	slowest       = 32 << 10 // bytes per second, for files that take longer than writeTimeout
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
