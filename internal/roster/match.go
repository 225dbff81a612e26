package roster

import (
	"strings"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
	"pbx.dev/dialtone/registrar/location"
)

// The rules that tie a contact to a device, best first (PROVISIONING.md 9.2).
// Phone.MatchedBy names the one that matched.
const (
	RuleSIPUser      = "sipUser"      // the digest user was minted for a line of the device
	RuleSIPInstance  = "sipInstance"  // the MAC ends the +sip.instance
	RuleUserAgentMAC = "userAgentMac" // the MAC stands in the User-Agent
	RuleLineAndIP    = "lineAndIp"    // a line's extension, from where the device fetched its files
)

// Directory is what Match asks about the devices of the inventory.
type Directory interface {
	// DeviceOfUser returns the device that a digest user was minted for.
	DeviceOfUser(authUser string) (deviceID string, ok bool)
	// DeviceWithMAC returns the device with this MAC.
	DeviceWithMAC(mac phone.MAC) (deviceID string, ok bool)
	// DevicesAt returns the devices that have extension on a line and that last
	// fetched a file, or asked DHCP, from ip; of a maker (display name) unless that is
	// empty.
	DevicesAt(extension, ip, maker string) []string
}

// Match tells which device a contact belongs to and by which rule; both are
// empty when none fits. It depends on nothing but its arguments.
//
// The first rule is proof, because the digest was checked. A MAC in the instance
// or in the User-Agent is what the peer claims: it names the device, but whether
// a line of it counts as registered is decided by the extension. The last rule is
// a guess, so it leaves out everything that says it is something else: software
// and programs nobody knows, phones of another maker, and phones that claim a MAC
// which is not in the inventory. Behind one address there may be many.
func Match(b location.Binding, agent useragent.Agent, dir Directory) (deviceID, rule string) {
	if b.AuthUser != "" {
		if id, ok := dir.DeviceOfUser(b.AuthUser); ok {
			return id, RuleSIPUser
		}
	}
	if mac, ok := instanceMAC(b.Instance); ok {
		if id, ok := dir.DeviceWithMAC(mac); ok {
			return id, RuleSIPInstance
		}
	}
	if !agent.MAC.IsZero() {
		if id, ok := dir.DeviceWithMAC(agent.MAC); ok {
			return id, RuleUserAgentMAC
		}
		return "", ""
	}
	if b.UserAgent != "" && agent.Type != useragent.Hardware {
		return "", ""
	}
	ip := hostOf(b.Received)
	if ip == "" {
		return "", ""
	}
	if ids := dir.DevicesAt(extensionOf(b.AOR), ip, agent.Vendor); len(ids) == 1 {
		return ids[0], RuleLineAndIP
	}
	return "", ""
}

// instanceMAC reads the last twelve hexadecimal digits of an instance such as
// "urn:uuid:00000000-0000-0000-0000-0004f2abcdef". Any UUID has them: only a
// provisioned MAC, or a maker's block, makes them one.
func instanceMAC(instance string) (phone.MAC, bool) {
	if len(instance) < 12 {
		return phone.MAC{}, false
	}
	mac, err := phone.ParseMAC(instance[len(instance)-12:])
	return mac, err == nil && !mac.IsZero()
}

// claimed is the MAC that a contact of an unprovisioned phone claims: in its
// User-Agent, or in an instance whose last digits are in the block of a maker.
func claimed(instance string, a *useragent.Agent) phone.MAC {
	if !a.MAC.IsZero() {
		return a.MAC
	}
	if mac, ok := instanceMAC(instance); ok {
		if _, _, known := catalog.VendorOf(mac); known {
			return mac
		}
	}
	return phone.MAC{}
}

// extensionOf is the user part of an AOR.
func extensionOf(aor location.AOR) string {
	if i := strings.LastIndexByte(string(aor), '@'); i >= 0 {
		return string(aor[:i])
	}
	return string(aor)
}

// hostOf returns the address of "ip:port", "[ip]:port" or "ip", without the
// prefix of an IPv4 address mapped into IPv6.
func hostOf(addr string) string {
	if rest, ok := strings.CutPrefix(addr, "["); ok {
		addr, _, _ = strings.Cut(rest, "]")
	} else if i := strings.IndexByte(addr, ':'); i >= 0 && strings.IndexByte(addr[i+1:], ':') < 0 {
		addr = addr[:i]
	}
	if v4, ok := strings.CutPrefix(addr, "::ffff:"); ok && strings.Contains(v4, ".") {
		return v4
	}
	return addr
}
