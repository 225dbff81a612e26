package app

import (
	"context"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/library"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// openLibrary puts the templates that administrators uploaded in use.
func (a *App) openLibrary(ctx context.Context) (err error) {
	a.library, err = library.New(ctx, library.Options{
		Reader: a.inventory, Writer: a.inventory, Devices: a.inventory, Files: a.files, Live: a.templates, Trials: a.inventory, Packs: a.inventory, Shared: a.cfg.Database.URL.Reveal() != "", FirmwareOf: a.firmwareOf,
		Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.inventory.OnChange(func(c inventory.Change) {
		if c.Kind == inventory.ChangeTemplate || c.Kind == inventory.ChangeUnknown {
			a.library.Changed()
		}
	})
	return nil
}

// choose picks the template of a file for a phone.
func (a *App) choose(file string, d phone.Device) templates.Choice {
	lib := a.library.LibraryOf(file, d.ID)
	firmware := ""
	if lib.Bounded(file) {
		firmware = a.firmwareOf(d)
	}
	return lib.Pick(file, d.Model, firmware)
}

// firmwareOf is what a phone last said it runs; empty when it never did.
func (a *App) firmwareOf(d phone.Device) string {
	p, _ := a.roster.Phone(d.ID)
	return p.Firmware
}
