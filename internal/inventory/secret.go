package inventory

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"pbx.dev/dialtone/internal/durable"
	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// KeySize is the length of the master key in bytes (AES-256).
const KeySize = 32

// LoadKey reads the master key from path: 32 raw bytes or 64 hexadecimal digits.
// Without that file it makes one of 32 random bytes in hexadecimal, mode 0600,
// whole or not at all. Any other length is an error.
func LoadKey(path string) ([]byte, error) {
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeKey(path); err != nil {
		return nil, fmt.Errorf("make the key file: %w", err)
	}
	return readKey(path) // another process may have been faster
}

func readKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	if len(text) == KeySize {
		return text, nil
	}
	key := make([]byte, KeySize)
	if trimmed := bytes.TrimSpace(text); len(trimmed) == 2*KeySize {
		if _, err := hex.Decode(key, trimmed); err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("key file %s: want %d bytes or %d hexadecimal digits, found %d bytes",
		path, KeySize, 2*KeySize, len(text))
}

// makeKey writes a complete file beside path and links it there, which fails
// when path exists and so never replaces a key.
func makeKey(path string) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails: crypto/rand
	f, err := os.CreateTemp(dir, ".key-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return durable.SyncDir(dir)
}

// sealer encrypts passwords with AES-256-GCM. The additional data names the
// place of the value, so that one cannot be moved to another row.
type sealer struct{ gcm cipher.AEAD }

func newSealer(key []byte) (*sealer, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("the master key has %d bytes, want %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	return &sealer{gcm}, err
}

func place(table, id, column string) []byte {
	return []byte(table + "\x00" + id + "\x00" + column)
}

func (s *sealer) seal(plain string, place []byte) []byte {
	return s.gcm.Seal(nil, nil, []byte(plain), place)
}

func (s *sealer) open(sealed, place []byte) (string, error) {
	plain, err := s.gcm.Open(nil, nil, sealed, place)
	if err != nil {
		return "", errors.New("the value was encrypted with another key or has been changed")
	}
	return string(plain), nil
}

// sealSecret encrypts the secret of a digest user.
func (s *sealer) sealSecret(user string, secret phone.Secret) []byte {
	return s.seal(secret.Reveal(), place("credentials", user, "secret"))
}

func (s *sealer) openSecret(user string, sealed []byte) (phone.Secret, error) {
	text, err := s.open(sealed, place("credentials", user, "secret"))
	if err != nil {
		return phone.Secret{}, fmt.Errorf("secret of %s: %w", user, err)
	}
	return phone.NewSecret(text), nil
}

// sealOldSecret encrypts the secret that a digest user had before a rotation.
func (s *sealer) sealOldSecret(user string, secret phone.Secret) []byte {
	return s.seal(secret.Reveal(), place("credentials", user, "old_secret"))
}

func (s *sealer) openOldSecret(user string, sealed []byte) (phone.Secret, error) {
	text, err := s.open(sealed, place("credentials", user, "old_secret"))
	if err != nil {
		return phone.Secret{}, fmt.Errorf("old secret of %s: %w", user, err)
	}
	return phone.NewSecret(text), nil
}

const keyCheck = "key_check"

// ErrOtherKey is Open's answer to a key that is not the one of the database.
var ErrOtherKey = errors.New("the passwords in the database were encrypted with another master key: " +
	"put back the key file that belongs to this database")

// checkKey proves that the database was written with our key, before anything is
// read or written with the wrong one. The first to open a database sets it.
func (s *Store) checkKey(ctx context.Context) error {
	where := place("meta", keyCheck, "value")
	err := s.write(ctx, func(u *unit) error {
		return u.exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
			keyCheck, s.sealer.seal(keyCheck, where))
	})
	if err != nil {
		return fmt.Errorf("check the master key: %w", err)
	}
	sealed, err := engine.One(s.db.Reader(ctx), engine.Scalar[[]byte], `SELECT value FROM meta WHERE name = $1`, keyCheck)
	if err != nil {
		return fmt.Errorf("check the master key: %w", err)
	}
	if _, err := s.sealer.open(sealed, where); err != nil {
		return ErrOtherKey
	}
	return nil
}
