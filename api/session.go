package api

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// A session is how the page stays logged in: the key that was given once comes back
// in a sealed cookie that no script can read. Every request with it is checked like
// one with the key itself, so that a key that is revoked ends its sessions.
const (
	sessionCookie = "dialtone_session"
	sessionLife   = 12 * time.Hour
)

// Sessions are those that were logged out before they were over.
type Sessions interface {
	EndSession(ctx context.Context, id string, over time.Time) error
	SessionEnded(ctx context.Context, id string) (bool, error)
}

// sessions seals keys into cookies. Of one that goes on nothing is stored; nodes with
// the same key take each other's.
type sessions struct {
	aead   cipher.AEAD
	origin *http.CrossOriginProtection
}

// newSessions takes 32 bytes; none makes sessions that end with the process.
func newSessions(key []byte) (*sessions, error) {
	if len(key) == 0 {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails (crypto/rand)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errors.New("api: the session key must have 32 bytes")
	}
	aead, err := cipher.NewGCM(block)
	return &sessions{aead: aead, origin: http.NewCrossOriginProtection()}, err
}

// seal returns the cookie's value for a key's text.
func (s *sessions) seal(text string, until time.Time) string {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce)                                           // never fails (crypto/rand)
	plain := binary.BigEndian.AppendUint64(nil, uint64(until.Unix())) //nolint:gosec // a time to come is positive
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, append(plain, text...), []byte(sessionCookie)))
}

// session is a cookie that is ours and not over.
type session struct {
	id   string // says nothing of the key
	text string // of the key
	over time.Time
}

// open reads a cookie's value.
func (s *sessions) open(value string, now time.Time) (session, bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(sealed) < s.aead.NonceSize() {
		return session{}, false
	}
	plain, err := s.aead.Open(nil, sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():], []byte(sessionCookie))
	if err != nil || len(plain) < 8 {
		return session{}, false
	}
	over := time.Unix(int64(binary.BigEndian.Uint64(plain)), 0) //nolint:gosec // what seal wrote
	if !now.Before(over) {
		return session{}, false
	}
	id := sha256.Sum256(sealed) // not of the text, which may be spelled in several ways
	return session{hex.EncodeToString(id[:]), string(plain[8:]), over}, true
}

// sessionOf is the request's session. A request that another site made the browser
// send has none: the cookie is SameSite=Strict, and browsers say where a request comes
// from. Nor has one whose session was logged out.
func (s *server) sessionOf(r *http.Request) (session, bool, error) {
	c, err := r.Cookie(sessionCookie)
	if err != nil || s.sessions.origin.Check(r) != nil {
		return session{}, false, nil
	}
	is, ok := s.sessions.open(c.Value, s.Now())
	if !ok || s.Sessions == nil {
		return is, ok, nil
	}
	ended, err := s.Sessions.SessionEnded(r.Context(), is.id)
	return is, !ended, err
}

func (s *server) sessionRoutes() []route {
	return []route{
		{"GET", base + "/session", "", s.readSession},
		{"POST", base + "/session", "", s.logIn},
		{"DELETE", base + "/session", "", s.logOut},
	}
}

// sessionAnswer says who is logged in.
type sessionAnswer struct {
	KeyID     string    `json:"keyId"`
	Name      string    `json:"name,omitempty"`
	Scopes    []string  `json:"scopes"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // of the session; absent for a request with the key itself
}

// logIn answers POST /v1/pbx/session.
func (s *server) logIn(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	if err := s.sessions.origin.Check(r); err != nil {
		return refuse(http.StatusForbidden, "A page of another site sent this request.")
	}
	in, err := readNew[struct {
		Key string `json:"key"`
	}](w, r)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(in.Key)
	if text == "" {
		return phone.Invalid("key", "is missing")
	}
	key, err := s.check(w, r, text, sha256.Sum256([]byte(text)))
	if err != nil {
		return err
	}
	until := s.Now().Add(sessionLife)
	s.setSession(w, r, s.sessions.seal(text, until), int(sessionLife/time.Second))
	return writeJSON(w, http.StatusOK, sessionAnswer{KeyID: key.ID, Name: key.Name, Scopes: key.Scopes, ExpiresAt: stamp(until)})
}

// readSession answers GET /v1/pbx/session.
func (s *server) readSession(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	key, err := s.authenticate(w, r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, sessionAnswer{KeyID: key.ID, Name: key.Name, Scopes: key.Scopes})
}

// logOut answers DELETE /v1/pbx/session.
func (s *server) logOut(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	if err := s.sessions.origin.Check(r); err != nil {
		return refuse(http.StatusForbidden, "A page of another site sent this request.")
	}
	is, ok, err := s.sessionOf(r)
	if err == nil && ok && s.Sessions != nil {
		err = s.Sessions.EndSession(r.Context(), is.id, is.over)
	}
	if err != nil {
		return err
	}
	s.setSession(w, r, "", -1)
	return noContent(w)
}

func (s *server) setSession(w http.ResponseWriter, r *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https", // stricter at the proxy's word, never laxer
	})
}
