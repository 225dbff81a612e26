package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// info is what is known of a request while it is served.
type info struct {
	id    string
	route string // the path template; empty when none matched
	key   phone.APIKey
	// What the audit trail says beside: the thing that was made, and notes.
	subject string
	noted   map[string]any
}

type infoKey struct{}

// infoOf returns the request's info; around puts it there.
func infoOf(r *http.Request) *info {
	if i, ok := r.Context().Value(infoKey{}).(*info); ok {
		return i
	}
	return &info{}
}

// around gives every request an id, the security headers, recovery from panic,
// one line in the log and a count.
func (s *server) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := s.Now()
		i := &info{id: requestID(r)}
		r = r.WithContext(context.WithValue(r.Context(), infoKey{}, i))
		rec := &recorder{ResponseWriter: w}
		secure(rec.Header())
		rec.Header().Set("X-Request-Id", i.id)
		defer func() {
			failed := recover()
			answered := failed == nil || s.recovered(rec, r, failed)
			s.finished(rec, r, s.Now().Sub(started))
			if !answered {
				// The answer had begun: cut the connection, so that the client
				// does not take a part for the whole.
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// recovered logs a panic and answers it with 500 if nothing has been written
// yet; it reports whether the client has a whole answer.
func (s *server) recovered(rec *recorder, r *http.Request, failed any) bool {
	if failed == http.ErrAbortHandler { //nolint:errorlint // recover gives the value itself
		return false
	}
	s.metrics.panicked()
	s.Logger.ErrorContext(r.Context(), "panic", "request_id", infoOf(r).id,
		"panic", fmt.Sprint(failed), "stack", string(debug.Stack()))
	if rec.status != 0 {
		return false
	}
	s.fail(rec, r, fmt.Errorf("panic: %v", failed))
	return true
}

func (s *server) finished(rec *recorder, r *http.Request, took time.Duration) {
	i := infoOf(r)
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	s.metrics.served(r.Method, i.route, rec.status, took)
	level := slog.LevelInfo
	switch i.route {
	case "/healthz", "/readyz", "/metrics", "/":
		level = slog.LevelDebug
	}
	s.Logger.Log(r.Context(), level, "request", "request_id", i.id, "method", clip(r.Method),
		"path", clip(r.URL.Path), "route", i.route, "status", rec.status, "bytes", rec.bytes,
		"ms", took.Milliseconds(), "client", clip(r.RemoteAddr), "key", i.key.ID)
}

// secure sets the headers of an answer that is data and nothing else.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// endpoint makes a handler of h, whose errors are answered by fail.
func (s *server) endpoint(route string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		infoOf(r).route = route
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// page serves the static files of the UI, which are the same for everybody.
func (s *server) page(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		infoOf(r).route = "/"
		next.ServeHTTP(w, r)
	})
}

// requestID is the caller's X-Request-Id if it is harmless, else a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	ok := id != "" && len(id) <= 64
	for i := 0; ok && i < len(id); i++ {
		c := id[i]
		ok = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.'
	}
	if ok {
		return id
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// clip bounds a text of the client for logs and answers.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most]
	}
	return s
}

// recorder notes status and size of the answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
