package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"pbx.dev/dialtone/firmware"
	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/internal/useragent"
	"pbx.dev/dialtone/provision"
)

// openFirmware opens the folder of images and what the database knows of them.
func (a *App) openFirmware(ctx context.Context) error {
	store, err := firmware.OpenStore(filepath.Join(a.cfg.DataDir, "firmware"))
	if err != nil {
		return err
	}
	a.onStop("firmware", store.Close)
	a.restock, a.restate = make(chan struct{}, 1), make(chan phone.MAC, 1024)
	a.inventory.OnChange(a.firmwareChanged)
	a.firmware, err = firmware.New(ctx, firmware.Options{
		Store: store, Images: a.inventory, Targets: a.inventory, States: a.inventory,
		Downloads: a.cfg.Firmware.Downloads, Stopped: a.firmwareStopped, Logger: a.log, Registerer: a.registry,
	})
	if err == nil {
		a.roster.Recheck() // which was filled before
	}
	return err
}

// firmwareWanted is what a phone should run instead of what it says that it runs.
func (a *App) firmwareWanted(p roster.Runs) string {
	if a.firmware == nil || !a.firmware.Offers() {
		return ""
	}
	return a.firmware.Wanted(firmware.Phone{MAC: p.MAC, Vendor: p.Vendor, Model: p.Model, Version: p.Firmware, Hardware: p.Hardware})
}

// firmwareChanged notes what has to be read again; that is done outside the commit.
func (a *App) firmwareChanged(c inventory.Change) {
	switch {
	case c.Kind == inventory.ChangeFirmware && !c.MAC.IsZero():
		select {
		case a.restate <- c.MAC:
			return
		default: // too many: the list is read whole
		}
	case c.Kind != inventory.ChangeFirmware && c.Kind != inventory.ChangeUnknown:
		return
	}
	select {
	case a.restock <- struct{}{}:
	default: // it will be read again anyway
	}
}

// settleEvery is how often a target is looked at whose rollout may have ended.
const settleEvery = 10 * time.Second

// settleFirmware opens the targets whose rollout has reached every phone: those that
// come later are offered the image as well.
func (a *App) settleFirmware(ctx context.Context) error {
	targets, err := a.firmware.Targets(ctx)
	for _, t := range targets {
		if t.JobID == "" {
			continue
		}
		job, jobErr := a.inventory.Job(ctx, t.JobID)
		if jobErr == nil && job.State == phone.JobDone {
			jobErr = a.firmware.EndRollout(ctx, t.JobID)
		}
		if jobErr != nil && !errors.Is(jobErr, phone.ErrNotFound) {
			err = errors.Join(err, jobErr)
		}
	}
	return err
}

// followFirmware reads again what other nodes, and this one, have changed.
func (a *App) followFirmware(ctx context.Context) error {
	settle := time.NewTicker(settleEvery)
	defer settle.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-settle.C:
			err = a.settleFirmware(ctx)
		case mac := <-a.restate:
			err = a.firmware.ReloadPhone(ctx, mac)
			a.roster.Recheck(mac)
		case <-a.restock:
			err = a.firmware.ReloadAll(ctx)
			a.roster.Recheck()
		}
		if err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "firmware not read again", slog.Any("error", err))
		}
	}
}

// firmwareStopped puts it on the timeline that a phone does not take its image.
func (a *App) firmwareStopped(mac phone.MAC, image phone.FirmwareImage) {
	e := phone.Event{
		At: time.Now(), Kind: phone.EventFirmware, MAC: mac, Path: image.Name, Outcome: "stopped",
		Detail: fmt.Sprintf("fetched %s (%s) three times within an hour and kept its version; it is not offered any more", image.Name, image.ID),
	}
	if d, err := a.inventory.DeviceByMAC(context.Background(), mac); err == nil {
		e.DeviceID = d.ID
	}
	a.record(e)
}

// images gives package provision the images of package firmware.
type images struct {
	service *firmware.Service
	roster  *roster.Roster
}

var _ provision.Images = images{}

// offer is what a device is offered by what is known of it now.
func (i images) offer(d phone.Device) firmware.Offer { return i.service.Offer(i.facts(d, "")) }

func (i images) Offer(d phone.Device, userAgent string) (provision.FirmwareOffer, bool) {
	if !i.service.Offers() { // every fetch of a configuration comes this way
		return provision.FirmwareOffer{}, false
	}
	o := i.service.Offer(i.facts(d, userAgent))
	return provision.FirmwareOffer{ID: o.Image.ID, File: firmware.FileOf(o.Image), Version: o.Image.Version}, o.Image.ID != ""
}

func (i images) Open(ctx context.Context, r provision.ImageRequest) (provision.ImageFile, error) {
	f := firmware.Fetch{Name: r.Name, ImageID: r.ID, Proven: r.Proven}
	if r.Known {
		f.Phone = i.facts(r.Device, r.UserAgent)
	} else if a := useragent.Parse(r.UserAgent, useragent.HTTP); a.Model != "" {
		f.Phone = firmware.Phone{Vendor: catalog.CanonicalVendor(a.Vendor), Model: a.Model, Version: a.Firmware, Hardware: useragent.Revision(r.UserAgent)}
	}
	d, err := i.service.Open(ctx, f)
	if errors.Is(err, firmware.ErrWithheld) {
		return provision.ImageFile{}, fmt.Errorf("%w: %w", provision.ErrWithheld, err)
	}
	if err != nil {
		return provision.ImageFile{}, err
	}
	return provision.ImageFile{
		Body: d.File, Size: d.Image.Size, SHA256: d.Image.SHA256, ModTime: d.Image.UploadedAt, Targeted: d.Targeted,
		Fetched: d.Fetched, Close: d.Close,
	}, nil
}

// facts is what is known of a device: what it says in this very request goes before
// what it said when it registered.
func (i images) facts(d phone.Device, userAgent string) firmware.Phone {
	p := firmware.Phone{MAC: d.MAC, Vendor: d.Vendor, Model: d.Model}
	if listed, ok := i.roster.Phone(d.ID); ok {
		p.Version, p.Hardware = listed.Firmware, useragent.Revision(listed.UserAgent)
		if p.Model == "" {
			p.Model = listed.Model
		}
	}
	a := useragent.Parse(userAgent, useragent.HTTP)
	if a.Firmware != "" && catalog.CanonicalVendor(a.Vendor) == d.Vendor && !useragent.FromUpdater(userAgent) {
		p.Version = a.Firmware
	}
	if h := useragent.Revision(userAgent); h != "" {
		p.Hardware = h
	}
	if p.Model == "" {
		p.Model = a.Model
	}
	return p
}
