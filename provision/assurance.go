package provision

import (
	"net/netip"
	"slices"

	"pbx.dev/dialtone/internal/phone"
)

// Assurance is how sure the server is that a request comes from the phone it names.
type Assurance string

// The levels of assurance, weakest first.
const (
	AssureMAC   Assurance = "mac"   // it knows the MAC, which is in the name of the file
	AssureLAN   Assurance = "lan"   // and comes from the networks of the phones
	AssureToken Assurance = "token" // it has the secret path or the HTTP credentials that only this phone was given
	AssureMTLS  Assurance = "mtls"  // it has the maker's certificate for this MAC
)

// rank orders the levels; -1 for anything else.
func (a Assurance) rank() int {
	return slices.Index([]Assurance{AssureMAC, AssureLAN, AssureToken, AssureMTLS}, a)
}

// Below says what a request gets that has not the assurance that secrets need.
type Below string

// The policies. Neither tells whether the phone exists.
const (
	BelowDeny  Below = "deny"  // the answer of a file that is not there
	BelowStrip Below = "strip" // what every phone of the vendor gets, without accounts and passwords
)

// claims are the MAC addresses that a request proves, beside the one in the name of
// the file and the one that the User-Agent states. A zero MAC proves nothing.
type claims struct {
	token       phone.MAC
	credentials phone.MAC
	certificate phone.MAC
}

// reached is the level of a request for a file of the phone mac. Its claims have
// been found to agree.
func (s *Service) reached(c claims, source netip.Addr) Assurance {
	switch {
	case !c.certificate.IsZero():
		return AssureMTLS
	case !c.token.IsZero() || !c.credentials.IsZero():
		return AssureToken
	case inAny(s.opts.LAN, source):
		return AssureLAN
	}
	return AssureMAC
}

// contradiction says which of the things that a request tells about its phone does
// not agree with the others; empty when all do.
func (s *Service) contradiction(r Request, t Target, c claims) string {
	for _, claim := range []struct {
		mac  phone.MAC
		what string
	}{
		{c.token, "the token belongs to another phone: "},
		{c.credentials, "the credentials belong to another phone: "},
		{c.certificate, "the client certificate belongs to another phone: "},
	} {
		if !claim.mac.IsZero() && claim.mac != t.MAC {
			return claim.what + claim.mac.String()
		}
	}
	if mac, ok := s.macOf(r.UserAgent); ok && mac != t.MAC {
		return "the User-Agent names another phone: " + mac.String()
	}
	if s.opts.AgentVendor != nil && t.Vendor != "" && r.UserAgent != "" {
		if v, ok := s.opts.AgentVendor(r.UserAgent); ok && v != t.Vendor {
			return "the User-Agent is that of another maker: " + v.DisplayName()
		}
	}
	if s.opts.Against != nil {
		return s.opts.Against(t.MAC, plain(r.Source.Addr()))
	}
	return ""
}

// shortfall says why a request that reached a level may not have secrets; empty
// when it may.
func (s *Service) shortfall(level Assurance, source netip.Addr) string {
	switch {
	case level.rank() >= s.opts.Secrets.rank():
		return ""
	case s.opts.Secrets == AssureLAN:
		return "its address " + source.String() + " is not in provision.lan"
	default:
		return "provision.secrets asks for " + string(s.opts.Secrets) + " and the request reached " + string(level)
	}
}

// plain is an address without what only a socket cares for.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func inAny(prefixes []netip.Prefix, a netip.Addr) bool {
	a = plain(a)
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}
