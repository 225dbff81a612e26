package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pbx.dev/dialtone/internal/durable"
)

// openDataDir makes the directory. With SQLite it is this process's alone.
func (a *App) openDataDir(context.Context) error {
	if err := os.MkdirAll(a.cfg.DataDir, 0o700); err != nil {
		return err
	}
	if !a.cfg.Database.URL.IsZero() {
		return nil
	}
	lock, err := durable.Lock(filepath.Join(a.cfg.DataDir, "lock"))
	if err == nil {
		a.onStop("data_dir", lock.Close)
	}
	return err
}

// openIdentity finds the name of this node. Where others may be beside it, on this host
// too, the host's name is not enough: two nodes with one name take each other's
// connections for dead.
func (a *App) openIdentity(context.Context) (err error) {
	if a.id, err = newIdentity(a.cfg); err != nil || a.cfg.Node != "" || a.cfg.Redis.URL.IsZero() {
		return err
	}
	suffix, lock, err := nodeSuffix(a.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("name of this node: %w", err)
	}
	a.onStop("name of this node", lock.Close)
	a.id.node += "-" + suffix
	return nil
}

// nodeSuffix tells this process from those with another data_dir, and by a number from
// those with the same. It is the same after a restart, and good until lock is closed.
func nodeSuffix(dataDir string) (suffix string, lock *os.File, err error) {
	where, err := filepath.Abs(dataDir)
	if err != nil {
		return "", nil, err
	}
	id, _, err := secretFile(dataDir, "node.id", func() (string, error) { return strings.ToLower(rand.Text()), nil })
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256([]byte(id.Reveal() + "\x00" + where)) // the path: a directory may have been copied
	suffix = hex.EncodeToString(sum[:3])
	const most = 100 // processes
	for n := 1; n <= most; n++ {
		lock, err = durable.TryLock(filepath.Join(dataDir, fmt.Sprintf("node.%d.lock", n)))
		switch {
		case err == nil && n > 1:
			return fmt.Sprintf("%s-%d", suffix, n), lock, nil
		case !errors.Is(err, durable.ErrLocked):
			return suffix, lock, err
		}
	}
	return "", nil, err
}
