// Package httpd serves phones' files over HTTP and HTTPS. What a name means and who
// may have it is the business of package provision; this package only carries the
// bytes. It is a plain handler without a router: phones double slashes and follow no
// redirects, so that it never sends one.
package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/provision"
)

// Getter is what the handler needs of package provision.
type Getter interface {
	Get(ctx context.Context, r provision.Request) (provision.File, error)
}

var _ Getter = (*provision.Service)(nil)

// Options are what Handler needs. Files is required.
type Options struct {
	Files Getter
	// ClientMAC reads the MAC address out of a verified client certificate; nil:
	// certificates do not count.
	ClientMAC func(*tls.ConnectionState) (phone.MAC, bool)
	Uploads   provision.Uploads // nil: PUT and POST are 405
	Auth      Auth              // whether phones are asked who they are

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Handler returns the handler of the phones' listeners. The address of the peer is
// that of the connection: X-Forwarded-For and the like are not believed.
func Handler(o Options) http.Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &handler{opts: o, log: o.Logger, guard: newGuard(o.Auth), answers: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_phone_http_answers_total", Help: "Answers to phones, by status code.",
	}, []string{"code"}), panics: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "dialtone_phone_http_panics_total", Help: "Requests that ended in a panic.",
	})}
	if o.Registerer != nil {
		o.Registerer.MustRegister(h.answers, h.panics, h.guard.results)
	}
	return h
}

type handler struct {
	opts    Options
	log     *slog.Logger
	guard   *guard
	answers *prometheus.CounterVec
	panics  prometheus.Counter
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &counter{ResponseWriter: rw}
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // net/http's own way to cut a connection
			}
			h.panics.Inc()
			h.log.ErrorContext(r.Context(), "http: panic", "panic", p, "stack", string(debug.Stack()), "path", provision.LogPath(r.URL.Path))
			if w.status == 0 {
				refuse(w, http.StatusInternalServerError)
			}
		}
		h.answers.WithLabelValues(strconv.Itoa(w.status)).Inc()
	}()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	upload := h.opts.Uploads != nil && (r.Method == http.MethodPut || r.Method == http.MethodPost)
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !upload {
		h.notAllowed(w)
		return
	}
	req := h.request(r)
	var ok bool
	if req.AuthMAC, ok = h.guard.check(w, r, req.ClientMAC); !ok {
		return
	}
	if upload {
		h.store(w, r, req)
	} else {
		h.serve(w, r, req)
	}
}

func (h *handler) notAllowed(w *counter) {
	allow := "GET, HEAD"
	if h.opts.Uploads != nil {
		allow += ", PUT, POST"
	}
	w.Header().Set("Allow", allow)
	w.Header().Set("Connection", "close") // what the phone still sends is not read
	refuse(w, http.StatusMethodNotAllowed)
}

func (h *handler) serve(w *counter, r *http.Request, req provision.Request) {
	f, err := h.opts.Files.Get(r.Context(), req)
	if err != nil {
		h.fail(w, r, err)
		f.Done(w.status, 0, nil)
		return
	}
	defer func() {
		if err := f.Close(); err != nil {
			h.log.WarnContext(r.Context(), "http: close file", "path", f.Name, "error", err)
		}
	}()
	// A small file has the server's write timeout; a large one has the time that a
	// slow line needs.
	extra := time.Duration(f.Size/slowest) * time.Second
	if extra > 0 {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout + extra)); err != nil {
			h.log.DebugContext(r.Context(), "http: write deadline stays", "error", err)
		}
	}
	w.Header().Set("Content-Type", f.ContentType)
	w.Header().Set("ETag", f.ETag)
	w.Header().Set("Cache-Control", "private, no-cache")
	http.ServeContent(w, r, "", f.ModTime, f.Body)
	f.Done(w.status, w.sent, w.err)
}

func (h *handler) request(r *http.Request) provision.Request {
	req := provision.Request{
		Path: r.URL.Path, Proto: proto(r), Method: r.Method, UserAgent: r.UserAgent(),
	}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		req.Source = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	if r.TLS != nil && h.opts.ClientMAC != nil {
		if mac, ok := h.opts.ClientMAC(r.TLS); ok {
			req.ClientMAC = mac
		}
	}
	return req
}

// fail is the one place where an outcome becomes a status code.
func (h *handler) fail(w *counter, r *http.Request, err error) {
	switch {
	case errors.Is(err, phone.ErrNotFound):
		refuse(w, http.StatusNotFound)
	case errors.Is(err, phone.ErrInvalid):
		refuse(w, http.StatusBadRequest)
	case uploadStatus(err) != 0:
		if errors.Is(err, phone.ErrBusy) {
			w.Header().Set("Retry-After", "10")
		}
		refuse(w, uploadStatus(err))
	case r.Context().Err() != nil:
		refuse(w, http.StatusServiceUnavailable) // the phone has gone
	default:
		h.log.ErrorContext(r.Context(), "http: cannot give a file", "client", r.RemoteAddr, "path", provision.LogPath(r.URL.Path), "error", err)
		refuse(w, http.StatusInternalServerError)
	}
}

// refuse answers with a status and the same small body for the same status.
func refuse(w http.ResponseWriter, status int) {
	body := strconv.Itoa(status) + " " + http.StatusText(status) + "\n"
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the phone may have gone; net/http sends no body to HEAD
}

// counter counts what goes out. It keeps the fast path of net/http for files.
type counter struct {
	http.ResponseWriter
	status int
	sent   int64
	err    error
}

// WriteHeader implements http.ResponseWriter.
func (c *counter) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (c *counter) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(b)
	c.count(int64(n), err)
	return n, err
}

// ReadFrom implements io.ReaderFrom, by which a file goes out without copies.
func (c *counter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, r)
	c.count(n, err)
	return n, err
}

func (c *counter) count(n int64, err error) {
	c.sent += n
	if err != nil && c.err == nil {
		c.err = err
	}
}

// Unwrap serves http.ResponseController.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

var (
	_ http.ResponseWriter = (*counter)(nil)
	_ io.ReaderFrom       = (*counter)(nil)
)
