package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// outlast is how long phones and calls go on while PostgreSQL is away. What another node
// revokes meanwhile, when only this one cannot reach it, is good here for as long.
const outlast = time.Hour

// Sizes of the caches: all of an installation of the largest size meant, about
// 100,000 digest users, in some 40 MB.
func (s *Store) makeCaches() {
	hits, misses := s.metrics.reads("credential")
	s.credentials = newStringCache[phone.Credential](131072, 16384, hits, misses)
	hits, misses = s.metrics.reads("extension")
	s.extensions = newStringCache[phone.Extension](131072, 16384, hits, misses)
	s.credentials.outlast, s.extensions.outlast = outlast, outlast
	hits, misses = s.metrics.reads("device")
	s.devices = newCache[phone.MAC, phone.Device](16384, 16384, hits, misses)
	hits, misses = s.metrics.reads("key")
	s.keys = newCache[[32]byte, phone.APIKey](1024, 1024, hits, misses)
	hits, misses = s.metrics.reads("token")
	s.tokens = newCache[[32]byte, phone.MAC](16384, 16384, hits, misses)
	hits, misses = s.metrics.reads("enrollment")
	s.windows = newStringCache[phone.Enrollment](1, 1, hits, misses)
}

// Credential returns what the digest user proves, an extension's SIPUsername or a
// line's AuthUser. It is made for every REGISTER and INVITE to call: known and
// unknown users are answered from memory.
func (s *Store) Credential(ctx context.Context, user string) (phone.Credential, error) {
	if user == "" || len(user) > maxUser {
		return phone.Credential{}, phone.ErrNotFound
	}
	return s.credentials.get(user, func(user string) (phone.Credential, error) {
		// PostgreSQL refuses text that is not valid.
		if clip(user, maxUser) != user {
			return phone.Credential{}, phone.ErrNotFound
		}
		c, err := engine.One(s.db.Reader(ctx), s.scanCredential,
			`SELECT c.auth_user, c.extension, e.name, COALESCE(c.device_id, ''), c.line, c.secret, c.old_secret
			FROM credentials c JOIN extensions e ON e.number = c.extension WHERE c.auth_user = $1`, user)
		if err != nil && !errors.Is(err, phone.ErrNotFound) {
			err = fmt.Errorf("read a credential: %w", err)
		}
		return c, err
	})
}

// CachedCredential is Credential that does not wait: known is false when the answer is
// not in memory yet.
func (s *Store) CachedCredential(user string) (cred phone.Credential, known bool, err error) {
	if user == "" || len(user) > maxUser {
		return phone.Credential{}, true, phone.ErrNotFound
	}
	return s.credentials.peek(user)
}

func (s *Store) scanCredential(row engine.Row) (phone.Credential, error) {
	var (
		c      phone.Credential
		sealed []byte
		old    []byte
	)
	if err := row.Scan(&c.User, &c.Extension, &c.Name, &c.DeviceID, &c.Line, &sealed, &old); err != nil {
		return c, err
	}
	var err error
	if c.Secret, err = s.sealer.openSecret(c.User, sealed); err == nil && old != nil {
		c.Old, err = s.sealer.openOldSecret(c.User, old)
	}
	return c, err
}

// credential is a row of the table of digest users.
type credential struct {
	user      string // "" is minted
	extension string
	deviceID  string // "" with line 0: the extension's own
	line      int
	label     string
	secret    phone.Secret
}

// addCredential stores c and returns its user. Of a minted user another is tried
// when it is taken; a given one is then a phone.ErrConflict.
func (u *unit) addCredential(c credential) (string, error) {
	minted := c.user == ""
	if !minted {
		if err := validUser("sipUsername", c.user); err != nil {
			return "", err
		}
	}
	var device any
	if c.deviceID != "" {
		device = c.deviceID
	}
	for range 10 {
		if minted {
			c.user = newUser(c.extension)
		}
		n, err := u.Exec(`INSERT INTO credentials (auth_user, extension, device_id, line, label, secret)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (auth_user) DO NOTHING`,
			c.user, c.extension, device, c.line, c.label, u.s.sealer.sealSecret(c.user, c.secret))
		if err != nil {
			return "", fmt.Errorf("store the credential %s: %w", c.user, err)
		}
		if n == 1 {
			return c.user, nil
		}
		if !minted {
			break
		}
	}
	return "", &phone.ConflictError{Field: "sipUsername", Reason: fmt.Sprintf("sip username %s is taken", c.user)}
}
