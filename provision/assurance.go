package provision

import (
	"net/netip"
	"slices"
)

// Assurance is how sure the server is that a request comes from the phone it names.
type Assurance string

// The levels of assurance, weakest first.
const (
	AssureMAC   Assurance = "mac"   // it knows the MAC, which is in the name of the file
	AssureLAN   Assurance = "lan"   // and comes from the networks of the phones
	AssureToken Assurance = "token" // it has the secret path that only this phone was given
	AssureMTLS  Assurance = "mtls"  // it has the maker's certificate for this MAC
)

// rank orders the levels; -1 for anything else.
func (a Assurance) rank() int {
	return slices.Index([]Assurance{AssureMAC, AssureLAN, AssureToken, AssureMTLS}, a)
}

// reached is the level of a request for a file of the phone with t's MAC.
func (s *Service) reached(r Request, t Target) Assurance {
	switch {
	case !r.ClientMAC.IsZero() && r.ClientMAC == t.MAC:
		return AssureMTLS
	case !r.AuthMAC.IsZero() && r.AuthMAC == t.MAC:
		return AssureToken
	case inAny(s.opts.LAN, r.Source.Addr()):
		return AssureLAN
	}
	return AssureMAC
}

// refusal says why a request may not have a file of its own; empty when it may. All
// that the request says about the phone has to agree.
func (s *Service) refusal(r Request, t Target) string {
	if mac, ok := s.macOf(r.UserAgent); ok && mac != t.MAC {
		return "the User-Agent names another phone: " + mac.String()
	}
	if !r.ClientMAC.IsZero() && r.ClientMAC != t.MAC {
		return "the client certificate belongs to another phone: " + r.ClientMAC.String()
	}
	if !r.AuthMAC.IsZero() && r.AuthMAC != t.MAC {
		return "the credentials belong to another phone: " + r.AuthMAC.String()
	}
	level := s.reached(r, t)
	switch {
	case level.rank() >= s.opts.Secrets.rank():
		return ""
	case s.opts.Secrets == AssureLAN:
		return "its address " + r.Source.Addr().String() + " is not in provision.lan"
	default:
		return "provision.secrets asks for " + string(s.opts.Secrets) + " and the request reached " + string(level)
	}
}

func inAny(prefixes []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}
