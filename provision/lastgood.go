package provision

import (
	"bytes"
	"crypto/subtle"
	"encoding/gob"
	"errors"
	"fmt"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// Kept holds the files that phones got last, beyond a restart. They hold secrets:
// an implementation encrypts them.
type Kept interface {
	// Keep stores a file under a name, over what was there. It does not block.
	Keep(name string, data []byte)
	// Kept returns it, or phone.ErrNotFound.
	Kept(name string) ([]byte, error)
}

// kept is what is stored of an entry of the cache.
type kept struct {
	Device   string
	Revision int64
	Body     []byte
	Tokens   [2][32]byte
}

func keptName(k cacheKey) string {
	return fmt.Sprintf("%s %s %s", k.vendor, k.mac.Hex(), k.kind)
}

// unclaimedID begins what stands for the ID of a phone that shows its claim code.
const unclaimedID = "unclaimed "

// keep stores what a phone got, for the day on which the store or a template is
// broken.
func (s *Service) keep(k cacheKey, e entry) {
	if s.opts.Kept == nil || strings.HasPrefix(e.version.device, unclaimedID) {
		return
	}
	var b bytes.Buffer
	record := kept{Device: e.version.device, Revision: e.version.revision, Body: e.body, Tokens: e.tokens}
	if err := gob.NewEncoder(&b).Encode(record); err != nil {
		s.log.Error("a file is not kept", "error", err)
		return
	}
	s.opts.Kept.Keep(keptName(k), b.Bytes())
}

// before finds what was given last under a key, in memory or else where it is kept.
func (s *Service) before(k cacheKey) (entry, bool) {
	if e, ok := s.cache.get(k); ok {
		return e, !strings.HasPrefix(e.version.device, unclaimedID)
	}
	if s.opts.Kept == nil {
		return entry{}, false
	}
	data, err := s.opts.Kept.Kept(keptName(k))
	if err != nil {
		if !errors.Is(err, phone.ErrNotFound) {
			s.log.Error("a file that was kept cannot be read", "phone", k.mac, "error", err)
		}
		return entry{}, false
	}
	var r kept
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&r); err != nil {
		s.log.Error("a file that was kept cannot be read", "phone", k.mac, "error", err)
		return entry{}, false
	}
	return entry{
		version: version{device: r.Device, revision: r.Revision}, body: r.Body, etag: etagOf(r.Body), tokens: r.Tokens,
	}, true
}

// The reasons for which a phone gets what it got before.
const (
	staleStore    = "store"
	staleTemplate = "template"
)

// givenBefore answers with e, which is not what the phone should have.
func (s *Service) givenBefore(f *fetch, r role, e entry, reason, detail string) (File, error) {
	s.metrics.cached("stale")
	s.metrics.lastGood.WithLabelValues(reason).Inc()
	f.event.DeviceID, f.event.Detail = e.version.device, detail
	f.event.Revision = 0
	if r.accounts {
		f.event.Revision = e.version.revision
	}
	return f.file(f.event.Path, r.media, e.etag, e.body), nil
}

// renderedBefore answers when a file of d cannot be rendered.
func (s *Service) renderedBefore(f *fetch, k cacheKey, r role, d phone.Device, cause error) (File, error) {
	e, ok := s.before(k)
	if !ok || e.version.device != d.ID {
		return f.fail(cause, "the file could not be rendered")
	}
	if s.refused.AllowN(s.now(), 1) {
		s.log.Error("a file could not be rendered, the phone gets the one it had", "path", f.event.Path, "error", cause)
	}
	return s.givenBefore(f, r, e, staleTemplate, phone.DetailStaleTemplate)
}

// lastGood answers while the inventory cannot be asked: with what the phone was
// given before, if that is still known, else with cause. A request with a token has
// to have the one that the phone had then.
func (s *Service) lastGood(f *fetch, t Target, cause error) (File, error) {
	for _, v := range phone.Vendors() {
		r, ok := roleOf(v, t)
		if !ok {
			continue
		}
		e, ok := s.before(cacheKey{mac: t.MAC, vendor: v, kind: r.kind})
		if !ok || !f.heldToken(e) {
			continue
		}
		f.vendor = v
		return s.givenBefore(f, r, e, staleStore, phone.DetailStaleStore)
	}
	return f.fail(cause, "the inventory did not answer")
}

// heldToken reports whether the token of the request is one that the phone had when
// it got e; no token is none too many.
func (f *fetch) heldToken(e entry) bool {
	if f.token == "" {
		return true
	}
	text, ok := phone.CutToken(f.token)
	if !ok {
		return false
	}
	hash, held := phone.HashToken(text), false
	for _, h := range e.tokens {
		if subtle.ConstantTimeCompare(h[:], hash[:]) == 1 {
			held = true
		}
	}
	return held
}

func tokenHashes(t phone.Tokens) [2][32]byte {
	if t.Steady.IsZero() {
		return [2][32]byte{}
	}
	return [2][32]byte{phone.HashToken(t.Steady.Reveal()), t.EnrollHash}
}
