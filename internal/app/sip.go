package app

import (
	"context"
	"net/netip"
	"time"

	"pbx.dev/dialtone/registrar"
	"pbx.dev/dialtone/registrar/digest"
	"pbx.dev/dialtone/registrar/fork"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/proxy"
)

// openSIP makes the registrar and the proxy behind it.
func (a *App) openSIP(context.Context) error {
	nonceKey, err := subkey(a.master, "nonce")
	if err != nil {
		return err
	}
	flowKey, err := subkey(a.master, "flow token")
	if err != nil {
		return err
	}
	s := a.cfg.SIP
	a.sip, err = registrar.New(registrar.Options{
		Domain: s.Domain, Aliases: append([]string{s.Server, a.id.advertise}, s.Aliases...),
		Directory: a.inventory, Store: a.location, Recorder: a.record,
		MinExpires: seconds(s.MinExpires), MaxExpires: seconds(s.MaxExpires), DefaultExpires: seconds(s.DefaultExpires),
		MaxContacts: s.MaxContacts, NonceKey: nonceKey, Node: a.id.node, Boot: a.id.boot,
		Unreachable: a.unreachable, Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.proxy, err = proxy.New(proxy.Options{
		Domain: s.Domain, IsLocal: a.sip.IsLocal, Alive: a.sip.Alive,
		Auth: a.sip.Digest(), Directory: a.inventory, Lookup: a.location,
		Advertise: func(transport string) (string, int) { return a.id.advertise, a.sockets.port("sip." + transport) },
		Admit: func(transport string, remote netip.AddrPort, method string, res digest.Result) bool {
			return a.sip.Admit(registrar.Attempt{Method: method, Transport: transport, Remote: remote, Result: res})
		},
		FlowKey: flowKey, Fork: fork.Options{IgnoreDecline: !s.DeclineEndsCall}, Recorder: a.record, Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.sip.SetRest(a.proxy)
	if s.Qualify > 0 {
		a.pinger = a.proxy.NewPinger(proxy.QualifyOptions{Every: seconds(s.Qualify), Node: a.id.node, Registerer: a.registry})
	}
	return nil
}

// unreachable and latency are what the pinger knows of a contact.
func (a *App) unreachable(b location.Binding) bool { return a.pinger != nil && a.pinger.Unreachable(b) }

func (a *App) latency(b location.Binding) (time.Duration, bool) {
	if a.pinger == nil {
		return 0, false
	}
	return a.pinger.Latency(b.AOR, b.ID)
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
