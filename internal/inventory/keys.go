package inventory

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// Scopes of API keys.
const (
	ScopePhonesRead      = "pbx:phones:read"
	ScopePhonesWrite     = "pbx:phones:write"
	ScopeExtensionsRead  = "pbx:extensions:read"
	ScopeExtensionsWrite = "pbx:extensions:write"
	ScopeTemplatesRead   = "pbx:templates:read"
	ScopeTemplatesWrite  = "pbx:templates:write"
	ScopeFirmwareRead    = "pbx:firmware:read"
	ScopeFirmwareWrite   = "pbx:firmware:write"
	ScopeKeysWrite       = "pbx:keys:write"
)

// Scopes lists all scopes.
func Scopes() []string {
	return []string{
		ScopePhonesRead, ScopePhonesWrite, ScopeExtensionsRead, ScopeExtensionsWrite, ScopeTemplatesRead,
		ScopeTemplatesWrite, ScopeFirmwareRead, ScopeFirmwareWrite, ScopeKeysWrite,
	}
}

const (
	keyPrefix = "do_live_"
	keyLen    = len(keyPrefix) + 32
)

// CreateKey makes an API key, "do_live_" and 32 random letters and digits, which
// is shown once: only its SHA-256 is stored. expires zero is never.
// phone.FieldError has the field "name", "scopes", "scopes[0]" or "expiresAt".
func (s *Store) CreateKey(ctx context.Context, name string, scopes []string, expires time.Time) (phone.APIKey, phone.Secret, error) {
	text := keyPrefix + randomText(base62, keyLen-len(keyPrefix))
	key, err := writing(ctx, s, func(u *unit) (phone.APIKey, error) {
		k := phone.APIKey{
			ID: newID("key_"), Name: name, Hash: sha256.Sum256([]byte(text)), Scopes: slices.Clone(scopes),
			CreatedAt: u.Now, ExpiresAt: fromMillis(toMillis(expires)),
		}
		if err := validKey(k, u.Now); err != nil {
			return k, err
		}
		list, err := json.Marshal(k.Scopes)
		if err != nil {
			return k, err
		}
		u.changed(effect{Change: Change{Kind: ChangeKey, ID: k.ID}})
		return k, u.exec(`INSERT INTO api_keys (id, name, hash, scopes, created_at, expires_at, last_used)
			VALUES ($1, $2, $3, $4, $5, $6, 0)`,
			k.ID, k.Name, k.Hash[:], string(list), toMillis(k.CreatedAt), toMillis(k.ExpiresAt))
	})
	if err != nil {
		return key, phone.Secret{}, fmt.Errorf("create an api key: %w", err)
	}
	return key, phone.NewSecret(text), nil
}

func validKey(k phone.APIKey, now time.Time) error {
	if k.Name == "" {
		return phone.Invalid("name", "is missing")
	}
	if err := validText("name", k.Name); err != nil {
		return err
	}
	if len(k.Scopes) == 0 {
		return phone.Invalid("scopes", "is empty: the key could do nothing")
	}
	known := Scopes()
	for i, scope := range k.Scopes {
		field := fmt.Sprintf("scopes[%d]", i)
		if !slices.Contains(known, scope) {
			return phone.Invalid(field, "is not one of "+strings.Join(known, ", "))
		}
		if slices.Contains(k.Scopes[:i], scope) {
			return phone.Invalid(field, "is there twice")
		}
	}
	if !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now) {
		return phone.Invalid("expiresAt", "is in the past")
	}
	return nil
}

const keyColumns = `SELECT id, name, hash, scopes, created_at, expires_at, last_used FROM api_keys `

func scanKey(row engine.Row) (phone.APIKey, error) {
	var (
		k                      phone.APIKey
		hash                   []byte
		scopes                 string
		created, expires, used int64
	)
	if err := row.Scan(&k.ID, &k.Name, &hash, &scopes, &created, &expires, &used); err != nil {
		return k, err
	}
	copy(k.Hash[:], hash)
	k.CreatedAt, k.ExpiresAt, k.LastUsed = fromMillis(created), fromMillis(expires), fromMillis(used)
	return k, json.Unmarshal([]byte(scopes), &k.Scopes)
}

// KeyByText returns the key with that text, from memory when it can, and notes
// that it was used; phone.ErrNotFound when there is none or it has expired. The
// caller must not change Scopes.
//
// The text is looked up by its hash, so the time it takes tells nothing of how
// much of a guess was right.
func (s *Store) KeyByText(ctx context.Context, text string) (phone.APIKey, error) {
	if len(text) != keyLen || !strings.HasPrefix(text, keyPrefix) {
		return phone.APIKey{}, phone.ErrNotFound
	}
	k, err := s.keys.get(sha256.Sum256([]byte(text)), func(hash [32]byte) (phone.APIKey, error) {
		return engine.One(s.db.Reader(ctx), scanKey, keyColumns+`WHERE hash = $1`, hash[:])
	})
	if err != nil {
		return phone.APIKey{}, fmt.Errorf("look up an api key: %w", err)
	}
	now := s.now()
	if !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) {
		return phone.APIKey{}, fmt.Errorf("api key %s has expired: %w", k.ID, phone.ErrNotFound)
	}
	s.usage.note(k.ID, now)
	return k, nil
}

// Keys returns all keys, oldest first.
func (s *Store) Keys(ctx context.Context) ([]phone.APIKey, error) {
	list, err := engine.All(s.db.Reader(ctx), scanKey, keyColumns+`ORDER BY created_at, id`)
	if err != nil {
		return nil, fmt.Errorf("list api keys: %w", err)
	}
	for i := range list {
		if used := s.usage.last(list[i].ID); used.After(list[i].LastUsed) {
			list[i].LastUsed = used
		}
	}
	return list, nil
}

// RevokeKey deletes a key. It is refused from now on.
func (s *Store) RevokeKey(ctx context.Context, id string) error {
	return s.write(ctx, func(u *unit) error {
		n, err := u.Exec(`DELETE FROM api_keys WHERE id = $1`, clip(id, maxText))
		if err != nil {
			return fmt.Errorf("revoke api key %s: %w", id, err)
		}
		if n == 0 {
			return phone.ErrNotFound
		}
		u.changed(effect{Change: Change{Kind: ChangeKey, ID: id, Deleted: true}})
		return nil
	})
}
