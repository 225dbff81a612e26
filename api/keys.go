package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
)

// keyAnswer is a key without its text, which only createKey shows.
type keyAnswer struct {
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"`
	Scopes    []string  `json:"scopes"`
	Key       string    `json:"key,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	LastUsed  time.Time `json:"lastUsed,omitzero"`
}

func keyOf(k phone.APIKey) keyAnswer {
	return keyAnswer{
		ID: k.ID, Name: k.Name, Scopes: append([]string{}, k.Scopes...),
		CreatedAt: stamp(k.CreatedAt), ExpiresAt: stamp(k.ExpiresAt), LastUsed: stamp(k.LastUsed),
	}
}

type newKey struct {
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
}

// listKeys answers GET /v1/pbx/keys. Keys are few: the page is cut here.
func (s *server) listKeys(w http.ResponseWriter, r *http.Request) error {
	limit, after, err := onlyPage(r)
	if err != nil {
		return err
	}
	keys, err := s.Keys.Keys(r.Context())
	if err != nil {
		return err
	}
	slices.SortFunc(keys, func(a, b phone.APIKey) int { return strings.Compare(a.ID, b.ID) })
	keys = slices.DeleteFunc(keys, func(k phone.APIKey) bool { return k.ID <= after })
	page, next := cut(keys, limit, func(k phone.APIKey) string { return k.ID })
	answer := struct {
		Keys []keyAnswer `json:"keys"`
		Next string      `json:"next,omitempty"`
	}{make([]keyAnswer, 0, len(page)), next}
	for _, k := range page {
		answer.Keys = append(answer.Keys, keyOf(k))
	}
	return writeJSON(w, http.StatusOK, answer)
}

// createKey answers POST /v1/pbx/keys. A key can give only scopes it has, or
// pbx:keys:write alone would be every scope.
func (s *server) createKey(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	in, err := readNew[newKey](w, r)
	if err != nil {
		return err
	}
	for _, scope := range in.Scopes { // one that is not a scope at all the inventory refuses
		if slices.Contains(Scopes(), scope) && !slices.Contains(infoOf(r).key.Scopes, scope) {
			return refuse(http.StatusForbidden, "The key does not have the scope "+scope+" and cannot give it.")
		}
	}
	k, text, err := s.Keys.CreateKey(r.Context(), in.Name, in.Scopes, in.ExpiresAt)
	if err != nil {
		return err
	}
	a := keyOf(k)
	a.Key = text.Reveal()
	noteSubject(r, k.ID)
	note(r, "scopes", k.Scopes)
	noteSecret(r, "key")
	return created(w, base+"/keys/"+url.PathEscape(k.ID), a)
}

// revokeKey answers DELETE /v1/pbx/keys/{id}.
func (s *server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	if err := s.Keys.RevokeKey(r.Context(), mux.Vars(r)["id"]); err != nil {
		return absent("key", err)
	}
	return noContent(w)
}
