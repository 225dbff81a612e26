package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
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

// sessions seals keys into cookies. Nothing is stored; nodes with the same key take
// each other's.
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

// open returns the key's text of a cookie that is ours and not over.
func (s *sessions) open(value string, now time.Time) (string, bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(sealed) < s.aead.NonceSize() {
		return "", false
	}
	plain, err := s.aead.Open(nil, sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():], []byte(sessionCookie))
	if err != nil || len(plain) < 8 || now.Unix() >= int64(binary.BigEndian.Uint64(plain)) { //nolint:gosec // what seal wrote
		return "", false
	}
	return string(plain[8:]), true
}

// sessionText is the key of the request's session. A request that another site made
// the browser send has none: the cookie is SameSite=Strict, and browsers say where a
// request comes from.
func (s *server) sessionText(r *http.Request) (string, bool) {
	c, err := r.Cookie(sessionCookie)
	if err != nil || s.sessions.origin.Check(r) != nil {
		return "", false
	}
	return s.sessions.open(c.Value, s.Now())
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
	s.setSession(w, r, "", -1)
	return noContent(w)
}

func (s *server) setSession(w http.ResponseWriter, r *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https", // stricter at the proxy's word, never laxer
	})
}
