package app

import (
	"context"
	"crypto/tls"
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
	if err := a.checkLink(); err != nil {
		return err
	}
	nonceKey, err := subkey(a.master, "nonce")
	if err != nil {
		return err
	}
	flowKey, err := subkey(a.master, "flow token")
	if err != nil {
		return err
	}
	a.secureSIP()
	s := a.cfg.SIP
	share := func(registrar.Wrong) {}
	if a.cluster != nil {
		share = a.cluster.share
	}
	a.sip, err = registrar.New(registrar.Options{
		Domain: s.Domain, Aliases: append([]string{s.Server, a.id.advertise}, s.Aliases...),
		Directory: a.inventory, Store: a.location, Recorder: a.recordSIP,
		MinExpires: seconds(s.MinExpires), MaxExpires: seconds(s.MaxExpires), DefaultExpires: seconds(s.DefaultExpires),
		MaxContacts: s.MaxContacts, StrictUnregister: s.StrictUnregister, ForceRport: s.ForceRport, Algorithms: s.Digest, NonceKey: nonceKey, Node: a.id.node, Boot: a.id.boot,
		Origins: s.WSOrigins, Unreachable: a.unreachable, Proved: a.proved, Share: share, Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	if a.cluster != nil {
		a.cluster.join()
	}
	a.proxy, err = proxy.New(proxy.Options{
		Domain: s.Domain, IsLocal: a.sip.IsLocal, Alive: a.sip.Alive,
		Auth: a.sip.Digest(), Directory: a.inventory, Lookup: a.location,
		Advertise: a.advertised, Node: a.id.node, Peer: a.peer(),
		Admit: func(transport string, remote netip.AddrPort, method string, res digest.Result) bool {
			return a.sip.Admit(registrar.Attempt{Method: method, Transport: transport, Remote: remote, Result: res})
		},
		ForceRport: s.ForceRport, FlowKey: flowKey, Fork: fork.Options{IgnoreDecline: !s.DeclineEndsCall}, Recorder: a.record, Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.sip.SetRest(a.proxy)
	if s.Qualify > 0 {
		a.pinger = a.proxy.NewPinger(proxy.QualifyOptions{Every: seconds(s.Qualify), Node: a.id.node, Changed: a.answers, Registerer: a.registry})
	}
	return nil
}

// secureSIP gives the listeners that need it their certificate.
func (a *App) secureSIP() {
	for i := range a.sockets.sip {
		l := &a.sockets.sip[i]
		switch l.Transport {
		case "tls":
			l.TLS = phoneTLS(a.certs.Config(), a.cfg.SIP.TLSMinVersion)
		case "wss":
			l.TLS = a.certs.Config() // browsers are never that old
		}
	}
}

// phoneTLS makes a configuration as lenient as phones need. Go leaves out what
// they speak below 1.2, and the key exchange that those without elliptic curves
// have, unless it is asked for by name.
func phoneTLS(c *tls.Config, least string) *tls.Config {
	c.MinVersion = map[string]uint16{
		"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
	}[least]
	if c.MinVersion >= tls.VersionTLS12 {
		return c
	}
	for _, suite := range tls.CipherSuites() {
		c.CipherSuites = append(c.CipherSuites, suite.ID)
	}
	c.CipherSuites = append(c.CipherSuites, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)
	return c
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
