package provision

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"pbx.dev/dialtone/internal/phone"
)

// File is one answer. Body is nil when Get failed.
type File struct {
	Name        string
	ContentType string
	ETag        string    // strong, with its quotes
	ModTime     time.Time // zero when the file was rendered
	Size        int64
	Body        io.ReadSeeker

	close func() error
	fetch *fetch
}

// Close releases the file. It is safe to call after a failed Get.
func (f File) Close() error {
	if f.close == nil {
		return nil
	}
	return f.close()
}

// Done records how the fetch ended: the protocol's status code, how many bytes of
// the body went out, and the error that cut it short, if any.
func (f File) Done(status int, sent int64, err error) {
	if f.fetch != nil {
		f.fetch.done(status, sent, err)
	}
}

// The outcomes of a fetch, beside "ok".
const (
	outcomeOK       = "ok"
	outcomeNotFound = "not-found"
	outcomeDenied   = "denied"
	outcomeError    = "error"   // ours: a template, a disk
	outcomeAborted  = "aborted" // the phone or the network ended the transfer
)

const (
	maxAgent  = 256 // bytes of a User-Agent that are kept
	maxDetail = 200
)

// fetch is a fetch in progress: its event, filled in as things become known.
type fetch struct {
	service *Service
	start   time.Time
	vendor  phone.Vendor
	event   phone.Event
	finish  func(sent int64, err error) // called once, before the event; nil: nothing to end
	usual   bool                        // phones ask for it at every boot, whether it is there or not

	source  netip.Addr
	target  Target
	token   string // what it has of one; goes nowhere
	probed  bool
	verdict verdict
	muted   bool // neither event nor log line
}

func (s *Service) newFetch(r Request) *fetch {
	now := s.now()
	return &fetch{service: s, start: now, source: r.Source.Addr(), token: r.Token, event: phone.Event{
		At: now, Kind: phone.EventFile, Proto: r.Proto, Path: LogPath(r.Path), Outcome: outcomeOK,
		UserAgent: printable(r.UserAgent, maxAgent), Source: r.Source.String(),
	}}
}

// about notes what the request means.
func (f *fetch) about(t Target) {
	f.target = t
	f.event.Path, f.event.MAC, f.vendor = t.Name, t.MAC, t.Vendor
}

func (f *fetch) file(name, contentType, etag string, body []byte) File {
	return File{
		Name: name, ContentType: contentType, ETag: etag, Size: int64(len(body)), Body: bytes.NewReader(body), fetch: f,
	}
}

func (f *fetch) done(status int, sent int64, err error) {
	if f.finish != nil {
		f.finish(sent, err)
	}
	e := f.event
	e.Status, e.Bytes, e.Millis = status, sent, f.service.now().Sub(f.start).Milliseconds()
	if err != nil && e.Outcome == outcomeOK {
		e.Outcome, e.Revision, e.Detail = outcomeAborted, 0, printable(fmt.Sprintf("the transfer broke off: %v", err), maxDetail)
	}
	f.service.metrics.fetched(f.vendor, e.Proto, e.Outcome)
	if f.muted {
		return
	}
	f.logRefusal(e)
	if f.service.opts.Recorder != nil && f.worthKeeping(e) {
		f.service.opts.Recorder(e)
	}
}

// worthKeeping reports whether an event goes on a timeline. Of refusals that
// concern no phone of ours only so many a second do: anybody can cause them.
func (f *fetch) worthKeeping(e phone.Event) bool {
	refused := e.Outcome == outcomeDenied || e.Outcome == outcomeNotFound
	return !refused || e.DeviceID != "" || f.service.strange.AllowN(f.service.now(), 1)
}

// logRefusal writes the one line that tells an administrator what the answer does
// not say. Anybody on the network can cause it, so only a few a second are
// written; an optional file that is not there is no news.
func (f *fetch) logRefusal(e phone.Event) {
	if e.Outcome != outcomeDenied && (e.Outcome != outcomeNotFound || f.usual) {
		return
	}
	if s := f.service; s.refused.AllowN(s.now(), 1) {
		s.log.Info("file refused", "reason", e.Detail, "path", e.Path, "client", e.Source, "protocol", e.Proto)
	}
}

// LogPath is a path as a log or a timeline may show it: without the token, which is
// a password, and without what a terminal could trip over.
func LogPath(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.EqualFold(s, "p") && i+1 < len(segments) {
			return "/p/.../" + printable(segments[len(segments)-1], 64)
		}
	}
	return printable(path, 128)
}

// printable returns at most n bytes of s, without anything that a log or a page
// could trip over.
func printable(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}
