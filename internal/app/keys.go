package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/internal/durable"
	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
)

const (
	keyFile      = "secret.key" // master key of everything encrypted at rest
	adminKeyFile = "admin.key"
)

// openInventory opens the database in data_dir, or the one that database.url
// names, with the master key in data_dir or the one that master_key gives.
func openInventory(ctx context.Context, cfg config.Config, o inventory.Options) (*inventory.Store, []byte, error) {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("data_dir: %w", err)
	}
	key, made, err := masterKey(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("master key: %w", err)
	}
	o.URL, o.Dir, o.Key = cfg.Database.URL.Reveal(), cfg.DataDir, key
	inv, err := inventory.Open(ctx, o)
	if made && errors.Is(err, inventory.ErrOtherKey) {
		// Ours is of no use to anybody, and would be taken for the right one.
		err = errors.Join(fmt.Errorf("the database belongs to other nodes: copy their %s into data_dir, or give master_key_file: %w",
			keyFile, inventory.ErrOtherKey), os.Remove(filepath.Join(cfg.DataDir, keyFile)))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("inventory: %w", err)
	}
	return inv, key, nil
}

// masterKey is the key that is given, or that of data_dir, which is made there when
// there is none.
func masterKey(cfg config.Config) (key []byte, made bool, err error) {
	if key, err = cfg.MasterKeyBytes(); key != nil || err != nil {
		return key, false, err
	}
	name := filepath.Join(cfg.DataDir, keyFile)
	_, err = os.Stat(name)
	made = errors.Is(err, fs.ErrNotExist)
	key, err = inventory.LoadKey(name)
	return key, made, err
}

// ensureAdminKey makes the first API key on the first start, writes it to
// admin.key and returns it; afterwards it returns an empty secret.
func ensureAdminKey(ctx context.Context, dir string, inv *inventory.Store) (phone.Secret, error) {
	keys, err := inv.Keys(ctx)
	if err != nil || len(keys) > 0 {
		return phone.Secret{}, err
	}
	_, text, err := inv.CreateKey(ctx, "admin", inventory.Scopes(), time.Time{})
	if err != nil {
		return phone.Secret{}, err
	}
	name := filepath.Join(dir, adminKeyFile)
	return text, durable.WriteFile(name, []byte(text.Reveal()+"\n"), 0o600)
}

// Keys are the API keys of a data directory, for "dialtone key". The server may
// be running on the same database.
type Keys struct{ inv *inventory.Store }

// OpenKeys opens the inventory that cfg names. Close it. Without create a data
// directory that no server has used is an error: it is a slip of the path.
func OpenKeys(ctx context.Context, cfg config.Config, create bool) (*Keys, error) {
	if _, err := os.Stat(filepath.Join(cfg.DataDir, keyFile)); err != nil && !create && cfg.MasterKey.IsZero() {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	inv, _, err := openInventory(ctx, cfg, inventory.Options{})
	if err != nil {
		return nil, err
	}
	return &Keys{inv}, nil
}

// Create makes a key; an empty list of scopes means all, a zero expiry never.
func (k *Keys) Create(ctx context.Context, name string, scopes []string, expires time.Time) (phone.APIKey, phone.Secret, error) {
	if len(scopes) == 0 {
		scopes = inventory.Scopes()
	}
	return k.inv.CreateKey(ctx, name, scopes, expires)
}

// List returns all keys, without their texts, which nobody has.
func (k *Keys) List(ctx context.Context) ([]phone.APIKey, error) { return k.inv.Keys(ctx) }

// Revoke removes a key.
func (k *Keys) Revoke(ctx context.Context, id string) error { return k.inv.RevokeKey(ctx, id) }

// Close closes the inventory.
func (k *Keys) Close() error { return k.inv.Close() }
