package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
)

// Tokens are the secret paths of provisioned phones. Errors are phone.ErrNotFound.
type Tokens interface {
	// IssueTokens gives a phone new tokens, and makes its old ones worthless, and
	// returns the enrollment token, which is not stored.
	IssueTokens(ctx context.Context, id string) (phone.Device, phone.Secret, error)
	RevokeTokens(ctx context.Context, id string) error
}

// tokenRoutes are the calls about tokens.
func (s *server) tokenRoutes() []route {
	return []route{
		{"POST", base + "/phones/{id}/token", phonesWrite, s.issueToken},
		{"DELETE", base + "/phones/{id}/token", phonesWrite, s.revokeToken},
	}
}

// tokenAnswer is the one answer that shows an enrollment token.
type tokenAnswer struct {
	URL       string    `json:"url,omitempty"` // absent: this server tells phones no URL
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// issueToken answers POST /v1/pbx/phones/{id}/token.
func (s *server) issueToken(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	d, token, err := s.Tokens.IssueTokens(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return absent("provisioned phone", err)
	}
	w.Header().Set("Cache-Control", "no-store")
	noteSecret(r, "token")
	return writeJSON(w, http.StatusCreated, tokenAnswer{
		URL: s.TokenURL(token).Reveal(), Token: token.Reveal(), ExpiresAt: stamp(d.Tokens.EnrollExpires),
	})
}

// revokeToken answers DELETE /v1/pbx/phones/{id}/token.
func (s *server) revokeToken(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	if err := s.Tokens.RevokeTokens(r.Context(), mux.Vars(r)["id"]); err != nil {
		return absent("provisioned phone", err)
	}
	return noContent(w)
}
