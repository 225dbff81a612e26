package app

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/uploads"
)

// openUploads opens the folder of what phones store.
func (a *App) openUploads(context.Context) (err error) {
	u := a.cfg.Uploads
	a.uploads, err = uploads.Open(uploads.Options{
		Dir: filepath.Join(a.cfg.DataDir, "uploads"), MaxFile: int64(u.FileKB) << 10, MaxPhone: int64(u.PhoneKB) << 10,
		MaxTotal: int64(u.TotalMB) << 20, Keep: time.Duration(u.Keep), Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.onStop("uploads", a.uploads.Close)
	return nil
}

// sweepUploads removes what has expired and what belongs to phones that are gone.
func (a *App) sweepUploads(ctx context.Context) error {
	return a.uploads.Run(ctx, func(ctx context.Context, mac phone.MAC) (bool, error) {
		_, err := a.inventory.DeviceByMAC(ctx, mac)
		if errors.Is(err, phone.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	})
}
