package provision

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// factsKeeper numbers the facts, so that a rendered file can say which ones it saw.
type factsKeeper struct {
	mu       sync.Mutex
	last     Facts
	revision int64
}

func (k *factsKeeper) number(f Facts) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.revision == 0 || f != k.last {
		k.last = f
		k.revision++
	}
	return k.revision
}

// rendered answers with a file from the cache or from its template. d has no MAC
// when the file belongs to no phone.
func (s *Service) rendered(f *fetch, r role, d phone.Device) (File, error) {
	facts := s.opts.Facts()
	key := cacheKey{mac: d.MAC, vendor: d.Vendor, kind: r.kind}
	ver := version{device: d.ID, revision: d.Revision, templates: s.opts.Renderer.Revision(), facts: s.facts.number(facts)}
	e, ok := s.cache.get(key)
	if ok && e.version == ver {
		s.metrics.cached("hit")
		return f.file(f.event.Path, r.media, e.etag, e.body), nil
	}
	s.metrics.cached("miss")
	start := s.now()
	body, err := s.render(r, d, facts, s.opts.Renderer.Render)
	if err != nil {
		cause := ourFault{fmt.Errorf("render %s for %s: %w", r.template, d.MAC, err)}
		return s.renderedBefore(f, key, r, d, cause)
	}
	s.metrics.rendered(d.Vendor, s.now().Sub(start))
	e = entry{version: ver, body: body, etag: etagOf(body), tokens: tokenHashes(d.Tokens)}
	s.cache.put(key, e)
	s.keep(key, e)
	return f.file(f.event.Path, r.media, e.etag, e.body), nil
}

// ourFault hides what kind of error it is: that a setting or a template is invalid
// does not make the phone's request invalid.
type ourFault struct{ cause error }

// Error implements error.
func (e ourFault) Error() string { return e.cause.Error() }

func (s *Service) render(
	r role, d phone.Device, facts Facts, with func(io.Writer, string, templates.View) error,
) ([]byte, error) {
	view, err := s.view(d, facts)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := with(&b, r.template, view); err != nil {
		return nil, err
	}
	if r.binary {
		return grandstreamBinary(d.MAC, b.Bytes())
	}
	return b.Bytes(), nil
}

func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// openFold opens the file called name, else the first whose name differs in case
// only: phones ask for their images in any case.
func openFold(dir fs.FS, name string) (fs.File, error) {
	file, err := dir.Open(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err //nolint:wrapcheck // the caller says what was being opened
	}
	entries, listErr := fs.ReadDir(dir, ".")
	if listErr != nil {
		return nil, fmt.Errorf("list images: %w", listErr)
	}
	for _, e := range entries {
		if strings.EqualFold(e.Name(), name) {
			return dir.Open(e.Name()) //nolint:wrapcheck // as above
		}
	}
	return nil, err //nolint:wrapcheck // as above
}

// firmware answers with an image. It is no secret: whoever can ask may have it.
func (s *Service) firmware(f *fetch, t Target) (File, error) {
	if s.opts.Firmware == nil {
		return f.fail(phone.ErrNotFound, "no such firmware")
	}
	file, err := openFold(s.opts.Firmware, t.Name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
			return f.fail(phone.ErrNotFound, "no such firmware")
		}
		return f.fail(fmt.Errorf("open firmware: %w", err), "the firmware could not be opened")
	}
	info, err := file.Stat()
	body, seeks := file.(io.ReadSeeker)
	switch {
	case err != nil:
		return f.fail(fmt.Errorf("open firmware: %w", errors.Join(err, file.Close())), "the firmware could not be opened")
	case !info.Mode().IsRegular() || !seeks:
		if err := file.Close(); err != nil {
			return f.fail(fmt.Errorf("close firmware: %w", err), "the firmware could not be opened")
		}
		return f.fail(phone.ErrNotFound, "no such firmware")
	}
	return File{
		Name: t.Name, ContentType: mediaBinary, Size: info.Size(), ModTime: info.ModTime(),
		ETag: fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()),
		Body: body, close: file.Close, fetch: f,
	}, nil
}

// Preview renders a file of d as the phone would get it, with every secret masked.
// A name that is not a file of this phone is phone.ErrNotFound.
func (s *Service) Preview(_ context.Context, d phone.Device, name string) ([]byte, error) {
	t, ok := Parse(name)
	if !ok || !t.MAC.IsZero() && t.MAC != d.MAC {
		return nil, fmt.Errorf("preview %.60q: %w", name, phone.ErrNotFound)
	}
	r, ok := roleOf(d.Vendor, t)
	if !ok {
		return nil, fmt.Errorf("preview %.60q: %w", name, phone.ErrNotFound)
	}
	if !r.own {
		d = phone.Device{Vendor: d.Vendor}
	}
	body, err := s.render(r, d, s.opts.Facts(), s.opts.Renderer.RenderMasked)
	if err != nil {
		return nil, fmt.Errorf("preview %s: %w", t.Name, err)
	}
	return body, nil
}
