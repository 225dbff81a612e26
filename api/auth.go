package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

const (
	keyPrefix = "do_live_"
	// maxKeyText bounds what is hashed and looked up; our keys are far shorter.
	maxKeyText = 256
)

// authorize admits the request if its key has scope, and puts the key into the
// request's info. Challenges follow RFC 6750 section 3.
func (s *server) authorize(w http.ResponseWriter, r *http.Request, scope string) error {
	key, err := s.authenticate(w, r)
	if err != nil {
		return err
	}
	infoOf(r).key = key
	if !slices.Contains(key.Scopes, scope) {
		s.metrics.authFailed("scope")
		w.Header().Set("WWW-Authenticate", `Bearer realm="dialtone", error="insufficient_scope", scope="`+scope+`"`)
		return refuse(http.StatusForbidden, "The key does not have the scope "+scope+".")
	}
	return nil
}

// authenticate finds the key of the request. A source with too many failures is
// refused before the store is asked, unless its key has been good before: a
// guesser behind the same proxy must not lock out those who know their key.
func (s *server) authenticate(w http.ResponseWriter, r *http.Request) (phone.APIKey, error) {
	text, ok := bearer(r)
	if !ok && r.Header.Get("Authorization") == "" {
		is, live, err := s.sessionOf(r)
		if err != nil {
			return phone.APIKey{}, err
		}
		text, ok = is.text, live
	}
	if !ok {
		s.metrics.authFailed("missing")
		w.Header().Set("WWW-Authenticate", `Bearer realm="dialtone"`)
		return phone.APIKey{}, refuse(http.StatusUnauthorized, "Send the key as \"Authorization: Bearer do_live_...\".")
	}
	return s.check(w, r, text, sha256.Sum256([]byte(text)))
}

// check is authenticate for a key's text.
func (s *server) check(w http.ResponseWriter, r *http.Request, text string, hash [sha256.Size]byte) (phone.APIKey, error) {
	source, now := sourceOf(r), s.Now()
	if wait := s.failures.wait(source, hash, now); wait > 0 {
		s.metrics.authFailed("limited")
		w.Header().Set("Retry-After", strconv.Itoa(wait))
		return phone.APIKey{}, refuse(http.StatusTooManyRequests, "Too many wrong keys from this address.")
	}
	key, err := s.keyOf(r, text, hash)
	switch {
	case errors.Is(err, phone.ErrNotFound), errors.Is(err, phone.ErrInvalid):
	case err != nil:
		return phone.APIKey{}, err
	case !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt):
	default:
		s.failures.good(hash)
		return key, nil
	}
	s.failures.failed(source, now)
	s.metrics.authFailed("unknown")
	w.Header().Set("WWW-Authenticate", `Bearer realm="dialtone", error="invalid_token"`)
	return phone.APIKey{}, refuse(http.StatusUnauthorized, "The key is unknown, revoked or expired.")
}

// keyOf asks the store, which finds the key by its hash, and compares the hash
// again in constant time, so that nothing rests on how the store compares.
func (s *server) keyOf(r *http.Request, text string, hash [sha256.Size]byte) (phone.APIKey, error) {
	if !strings.HasPrefix(text, keyPrefix) || len(text) > maxKeyText {
		return phone.APIKey{}, phone.ErrNotFound
	}
	key, err := s.Keys.KeyByText(r.Context(), text)
	if err != nil {
		return phone.APIKey{}, err
	}
	if subtle.ConstantTimeCompare(key.Hash[:], hash[:]) != 1 {
		return phone.APIKey{}, phone.ErrNotFound
	}
	return key, nil
}

// bearer returns the token of the Authorization header; the scheme's case does
// not matter (RFC 9110 section 11.1).
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}
