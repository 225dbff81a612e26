package provision

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
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
	key := cacheKey{mac: d.MAC, vendor: d.Vendor, kind: r.kind, page: r.page}
	if d.MAC.IsZero() {
		key.model = modelCode(d)
	}
	p := page{role: r, device: d, choice: s.choose(r, d), offer: s.offer(d, f.event.UserAgent)}
	ver := version{
		device: d.ID, revision: d.Revision, templates: s.opts.Renderer.Revision(), template: p.choice.Template, choice: p.choice.Revision, firmware: p.offer.key(),
		layers: s.layers().Revision(), facts: s.facts.number(facts), book: s.bookVersion(r),
	}
	e, ok := s.cache.get(key)
	if ok && e.version == ver {
		s.metrics.cached("hit")
		return f.file(f.event.Path, r.media, e.etag, e.body), nil
	}
	s.metrics.cached("miss")
	start := s.now()
	body, err := s.render(p, facts, Renderer.Render)
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

func (s *Service) layers() *settings.Stack {
	if s.opts.Layers == nil {
		return nil
	}
	return s.opts.Layers()
}

// ourFault hides what kind of error it is: that a setting or a template is invalid
// does not make the phone's request invalid.
type ourFault struct{ cause error }

// Error implements error.
func (e ourFault) Error() string { return e.cause.Error() }

// page is one file to be rendered and what was chosen for it. A file that belongs to
// no phone has a device without a MAC.
type page struct {
	role   role
	device phone.Device
	choice templates.Choice
	offer  FirmwareOffer
}

func (s *Service) render(
	p page, facts Facts, with func(Renderer, io.Writer, string, templates.View) error,
) ([]byte, error) {
	view, renderer, err := s.prepare(p, facts)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := with(renderer, &b, p.role.template, view); err != nil {
		return nil, err
	}
	if p.role.binary {
		return grandstreamBinary(p.device.MAC, b.Bytes())
	}
	return b.Bytes(), nil
}

// prepare is what a file is rendered from and by what.
func (s *Service) prepare(p page, facts Facts) (templates.View, Renderer, error) {
	view, err := s.view(p.device, facts)
	if err != nil {
		return view, nil, err
	}
	if err := s.addBook(&view, p.role); err != nil {
		return view, nil, err
	}
	if view.Firmware.URL == "" { // else the settings name one
		view.Firmware = p.offer.view(p.device.MAC, facts.BaseURL)
	}
	if p.choice.Set == nil {
		return view, s.opts.Renderer, nil
	}
	view.Vars = variables(p.choice.Variables, view.Vars)
	return view, p.choice.Set, nil
}

// choose picks the template of a file for a device; the zero Choice is Renderer's.
func (s *Service) choose(r role, d phone.Device) templates.Choice {
	if s.opts.Choose == nil {
		return templates.Choice{}
	}
	return s.opts.Choose(r.template, d)
}

// variablePrefix is what the settings are called that fill a template's variables.
const variablePrefix = "vars."

// variables are the values of what a template declares: those that are set, else
// the defaults.
func variables(declared []phone.TemplateVariable, set map[string]string) map[string]string {
	if len(declared) == 0 {
		return nil
	}
	out := make(map[string]string, len(declared))
	for _, v := range declared {
		out[v.Name] = v.Default
		if own, ok := set[v.Name]; ok && v.Check(own) == "" { // it was another type when it was set
			out[v.Name] = own
		}
	}
	return out
}

// With renders the file that c is the template of, for d, with every secret masked:
// what the phone would get if c were chosen. A template of no file of d's vendor is
// phone.ErrNotFound.
func (s *Service) With(_ context.Context, d phone.Device, c templates.Choice) ([]byte, error) {
	for _, r := range roles(d.Vendor) {
		if r.template == c.File && !r.binary {
			if !r.own {
				d = phone.Device{Vendor: d.Vendor}
			}
			p := page{role: r, device: d, choice: c, offer: s.offer(d, "")}
			return s.render(p, s.opts.Facts(), Renderer.RenderMasked)
		}
	}
	return nil, fmt.Errorf("template %.60q: %w", c.File, phone.ErrNotFound)
}

func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// Preview renders a file of d as the phone would get it, with every secret masked.
// A name that is not a file of this phone is phone.ErrNotFound.
func (s *Service) Preview(_ context.Context, d phone.Device, name string) ([]byte, error) {
	p, err := s.pageOf(d, name)
	if err != nil {
		return nil, err
	}
	body, err := s.render(p, s.opts.Facts(), Renderer.RenderMasked)
	if err != nil {
		return nil, fmt.Errorf("preview %.60q: %w", name, err)
	}
	return body, nil
}

// pageOf is a file of d by its name, or phone.ErrNotFound.
func (s *Service) pageOf(d phone.Device, name string) (page, error) {
	t, ok := Parse(name)
	if !ok || !t.MAC.IsZero() && t.MAC != d.MAC {
		return page{}, fmt.Errorf("preview %.60q: %w", name, phone.ErrNotFound)
	}
	r, ok := roleOf(d.Vendor, t)
	if !ok {
		return page{}, fmt.Errorf("preview %.60q: %w", name, phone.ErrNotFound)
	}
	if !r.own {
		d = phone.Device{Vendor: d.Vendor, Model: commonModel(t)}
	}
	return page{role: r, device: d, choice: s.choose(r, d), offer: s.offer(d, "")}, nil
}
