package provision

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
}

func (s *Service) newFetch(r Request) *fetch {
	now := s.now()
	return &fetch{service: s, start: now, event: phone.Event{
		At: now, Kind: phone.EventFile, Proto: r.Proto, Path: pathWithoutToken(r.Path), Outcome: outcomeOK,
		UserAgent: printable(r.UserAgent, maxAgent), Source: r.Source.String(),
	}}
}

// fail ends Get. A refusal of any kind leaves as the one phone.ErrNotFound; why it
// happened goes into the event only.
func (f *fetch) fail(err error, detail string) (File, error) {
	f.event.Detail = detail
	switch {
	case errors.Is(err, errDenied):
		f.event.Outcome, err = outcomeDenied, phone.ErrNotFound
	case errors.Is(err, phone.ErrNotFound):
		f.event.Outcome, err = outcomeNotFound, phone.ErrNotFound
	default:
		f.event.Outcome = outcomeError
	}
	return File{fetch: f}, err
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
	f.logRefusal(e)
	if f.service.opts.Recorder != nil {
		f.service.opts.Recorder(e)
	}
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

// pathWithoutToken is a path as a timeline may show it, for names that mean nothing.
func pathWithoutToken(path string) string {
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
