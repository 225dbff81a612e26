package app

import (
	"context"

	"pbx.dev/dialtone/api"
	"pbx.dev/dialtone/internal/enroll"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
	"pbx.dev/dialtone/provision"
)

// openDesk makes what decides about phones nobody knows.
func (a *App) openDesk(context.Context) error {
	key, err := subkey(a.master, "claim codes")
	if err != nil {
		return err
	}
	a.desk, err = enroll.New(enroll.Options{
		Store: a.inventory, Key: key, Auto: a.cfg.Provision.Enroll == string(provision.EnrollAuto),
		Codes: a.cfg.Provision.ClaimCodes, Recorder: a.record, Logger: a.log,
	})
	return err
}

// admit asks the desk about a phone that wants a file.
func (a *App) admit(ctx context.Context, u provision.UnknownPhone) (provision.Admission, error) {
	d := phone.Device{MAC: u.MAC, Vendor: u.Vendor, Model: useragent.Parse(u.UserAgent, useragent.HTTP).Model}
	d, code, err := a.desk.Admit(ctx, d, u.Source.Addr())
	return provision.Admission{Device: d, Claim: code}, err
}

// waiting lists a phone nobody knows.
func (a *App) waiting(u provision.UnknownPhone) {
	a.roster.Waiting(phone.Event{
		At: u.At, Kind: phone.EventFile, MAC: u.MAC, Proto: u.Proto, Path: u.Name, UserAgent: u.UserAgent, Source: u.Source.String(),
	})
}

// bans are the sources that a firewall may want to know.
func (a *App) bans() []api.Ban {
	var out []api.Ban
	for _, b := range a.files.Bans() {
		source := b.Source.String()
		if b.Source.IsSingleIP() {
			source = b.Source.Addr().String()
		}
		out = append(out, api.Ban{Source: source, Reason: b.Reason, Since: b.Since, Until: b.Until})
	}
	return out
}

// macs parses MAC addresses that the configuration has checked.
func macs(texts []string) []phone.MAC {
	var out []phone.MAC
	for _, t := range texts {
		if m, err := phone.ParseMAC(t); err == nil {
			out = append(out, m)
		}
	}
	return out
}
