package api

import (
	"slices"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/internal/useragent"
)

// withDevice lays what the inventory says over what the roster says, so that an
// answer to a change shows the change. A phone the roster does not list yet is
// expected, and pending when it has no line.
func withDevice(p roster.Phone, d phone.Device) roster.Phone {
	if p.ID == "" {
		p.DeviceType, p.State = string(useragent.Hardware), roster.StateExpected
		if len(d.Lines) == 0 {
			p.State = roster.StatePending
		}
	}
	p.ID, p.Provisioned, p.MAC = d.ID, true, d.MAC
	p.Manufacturer = d.Vendor.DisplayName()
	if d.Model != "" {
		p.Model = d.Model
	}
	live := p.Lines
	p.Lines, p.Extension, p.ExtensionName = nil, "", ""
	for _, l := range d.Lines {
		if len(p.Lines) == 0 {
			p.Extension, p.ExtensionName = l.Extension, l.DisplayName
		}
		p.Lines = append(p.Lines, roster.Line{
			Line: l.Number, ExtensionNumber: l.Extension, AuthUser: l.AuthUser,
			Registered: slices.ContainsFunc(live, func(o roster.Line) bool {
				return o.Line == l.Number && o.ExtensionNumber == l.Extension && o.Registered
			}),
		})
	}
	return p
}

// deviceAnswer is the answer with what only the inventory knows. Settings may
// hold passwords of the phone, so only a key that may write them reads them.
func deviceAnswer(p roster.Phone, d phone.Device, key phone.APIKey) phoneAnswer {
	a := answerOf(p)
	a.Name, a.Site, a.Keys = d.Name, d.Site, keysOf(string(d.Vendor), a.Model)
	if slices.Contains(key.Scopes, phonesWrite) {
		a.Settings = d.Settings
	}
	for i := range a.Lines {
		a.Lines[i].Label = d.Lines[i].Label
	}
	return a
}
