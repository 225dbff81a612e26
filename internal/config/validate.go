package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// Validate returns all mistakes joined, each with the path of its setting.
func (c Config) Validate() error {
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
	check := func(path string, err error) {
		if err != nil {
			bad(path, "%v", err)
		}
	}
	if c.DataDir == "" {
		bad("data_dir", "must not be empty")
	}
	if _, err := c.MasterKeyBytes(); err != nil {
		bad("master_key", "%v", err)
	}
	if c.Advertise != "" && !isHost(c.Advertise) {
		bad("advertise", "%q is neither an address nor a host name", c.Advertise)
	}
	if a, err := netip.ParseAddr(c.Advertise); err == nil && (a.IsUnspecified() || a.IsMulticast()) {
		bad("advertise", "%s is no address that a phone can reach", a)
	}
	if c.ForgetAfter < Duration(time.Hour) {
		bad("forget_after", "must be at least 1h")
	}
	if c.Database.Takeover < Duration(time.Second) || c.Database.Takeover > Duration(time.Hour) {
		bad("database.takeover", "must be from 1s to 1h")
	}
	for path, v := range c.listeners() {
		check(path, checkListen(v))
	}
	if c.Admin.Listen == Off {
		bad("admin.listen", "cannot be off")
	}
	check("database.url", checkURL(c.Database.URL.Reveal(), "postgres", "postgresql"))
	check("redis.url", checkURL(c.Redis.URL.Reveal(), "redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"))
	if (c.HTTPS.Cert == "") != (c.HTTPS.Key == "") {
		bad("https.cert", "https.cert and https.key go together")
	}
	if c.TFTP.Blksize < 8 || c.TFTP.Blksize > 65464 {
		bad("tftp.blksize", "must be 8 to 65464")
	}
	if c.SIP.NodeListen != Off && c.SIP.NodeListen != Auto && c.Redis.URL.Reveal() == "" {
		bad("sip.node_listen", "several nodes need redis.url")
	}
	errs = append(errs, c.validateDHCP()...)
	errs = append(errs, c.validateSIP()...)
	errs = append(errs, c.validateProvision()...)
	errs = append(errs, c.validateUploads()...)
	if hook := c.Webhook.URL.Reveal(); hook != "" {
		if u, err := url.Parse(hook); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			bad("webhook.url", "is not a URL such as https://example.com/hook")
		}
	}
	check("log.level", oneOf(c.Log.Level, "debug", "info", "warn", "error"))
	check("log.format", oneOf(c.Log.Format, "text", "json"))
	return errors.Join(errs...)
}

// MasterKeyBytes is the master key that is given; nil: none is.
func (c Config) MasterKeyBytes() ([]byte, error) {
	text := strings.TrimSpace(c.MasterKey.Reveal())
	if text == "" {
		return nil, nil
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != 32 {
		return nil, errors.New("must be 64 hexadecimal digits, as in data_dir/secret.key")
	}
	return key, nil
}

// listeners maps the path of each listener to its value.
func (c Config) listeners() map[string]string {
	l := map[string]string{
		"admin.listen": c.Admin.Listen, "http.listen": c.HTTP.Listen, "https.listen": c.HTTPS.Listen, "https.legacy_listen": c.HTTPS.LegacyListen,
		"sip.udp": c.SIP.UDP, "sip.tcp": c.SIP.TCP, "sip.tls": c.SIP.TLS, "sip.ws": c.SIP.WS, "sip.wss": c.SIP.WSS,
	}
	if c.SIP.NodeListen != Auto {
		l["sip.node_listen"] = c.SIP.NodeListen
	}
	if c.TFTP.Listen != "" {
		l["tftp.listen"] = c.TFTP.Listen
	}
	return l
}

func (c Config) validateDHCP() []error {
	d := c.DHCP
	var errs []error
	bad := func(path, reason string) { errs = append(errs, fmt.Errorf("%s: %s", path, reason)) }
	if err := oneOf(d.Mode, Off, "proxy", "lease"); err != nil {
		bad("dhcp.mode", err.Error())
	}
	if d.ListenPort < 1 || d.ListenPort > 65535 {
		bad("dhcp.listen_port", "must be 1 to 65535")
	}
	if d.Mode != Off && d.Interface == "" {
		bad("dhcp.interface", "dhcp.mode "+d.Mode+" needs an interface")
	}
	if d.V6 && d.Interface == "" {
		bad("dhcp.interface", "dhcp.v6 needs an interface")
	}
	if d.LeaseTime < Duration(time.Minute) {
		bad("dhcp.lease_time", "must be at least 1m")
	}
	if d.Range != "" || d.Mode == "lease" {
		if _, _, err := d.Addresses(); err != nil {
			bad("dhcp.range", err.Error())
		}
	}
	if d.VLAN < 0 || d.VLAN > 4094 {
		bad("dhcp.vlan", "must be 0 to 4094")
	}
	if d.VLANPriority < 0 || d.VLANPriority > 7 {
		bad("dhcp.vlan_priority", "must be 0 to 7")
	}
	for i, s := range d.DNS {
		if a, err := netip.ParseAddr(s); err != nil || !a.Is4() {
			bad(fmt.Sprintf("dhcp.dns[%d]", i), "is not an IPv4 address")
		}
	}
	if d.Router != "" {
		if a, err := netip.ParseAddr(d.Router); err != nil || !a.Is4() {
			bad("dhcp.router", "is not an IPv4 address")
		}
	}
	return errs
}

// Addresses returns the first and the last address of dhcp.range.
func (d DHCP) Addresses() (first, last netip.Addr, err error) {
	a, b, ok := strings.Cut(d.Range, "-")
	first, err1 := netip.ParseAddr(strings.TrimSpace(a))
	last, err2 := netip.ParseAddr(strings.TrimSpace(b))
	if !ok || err1 != nil || err2 != nil || !first.Is4() || !last.Is4() || last.Less(first) {
		return first, last, fmt.Errorf("%q is not a range such as 192.0.2.10-192.0.2.99", d.Range)
	}
	return first, last, nil
}

func validateDigest(names []string) (errs []error) {
	for i, name := range names {
		if err := oneOf(name, "MD5", "SHA-256", "SHA-512-256"); err != nil {
			errs = append(errs, fmt.Errorf("sip.digest[%d]: %w", i, err))
		} else if slices.Contains(names[:i], name) {
			errs = append(errs, fmt.Errorf("sip.digest[%d]: %q is there twice", i, name))
		}
	}
	if len(names) == 0 {
		errs = append(errs, errors.New("sip.digest: is empty"))
	}
	return errs
}

func (c Config) validateSIP() []error {
	s := c.SIP
	var errs []error
	bad := func(path, reason string) { errs = append(errs, fmt.Errorf("%s: %s", path, reason)) }
	for path, host := range map[string]string{"sip.domain": s.Domain, "sip.server": s.Server} {
		if !isHost(host) {
			bad(path, fmt.Sprintf("%q is neither an address nor a host name", host))
		}
	}
	for i, a := range s.Aliases {
		if !isHost(a) {
			bad(fmt.Sprintf("sip.aliases[%d]", i), fmt.Sprintf("%q is neither an address nor a host name", a))
		}
	}
	if err := oneOf(s.Transport, "udp", "tcp", "tls"); err != nil {
		bad("sip.transport", err.Error())
	}
	if err := oneOf(s.TLSMinVersion, "1.0", "1.1", "1.2", "1.3"); err != nil {
		bad("sip.tls_min_version", err.Error())
	}
	errs = append(errs, validateDigest(s.Digest)...)
	for i, o := range s.WSOrigins {
		if u, err := url.Parse(o); err != nil || u.Host == "" || u.Scheme+"://"+u.Host != o {
			bad(fmt.Sprintf("sip.ws_origins[%d]", i), fmt.Sprintf("%q is not an origin such as https://phone.example.com", o))
		}
	}
	if s.OutboundProxy != Auto && s.OutboundProxy != Off {
		host, port, err := net.SplitHostPort(s.OutboundProxy)
		if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || n < 1 || n > 65535 || !isHost(host) {
			bad("sip.outbound_proxy", "is neither auto nor off nor host:port")
		}
	}
	if s.MinExpires < 1 || s.MinExpires > s.DefaultExpires || s.DefaultExpires > s.MaxExpires || s.MaxExpires > 86400*7 {
		bad("sip.min_expires", "needs 1 <= min_expires <= default_expires <= max_expires <= 604800")
	}
	if s.MaxContacts < 1 || s.MaxContacts > 1000 {
		bad("sip.max_contacts", "must be 1 to 1000")
	}
	if s.NodeAddress != "" {
		_, err := netip.ParseAddr(s.NodeAddress)
		if _, portErr := netip.ParseAddrPort(s.NodeAddress); err != nil && portErr != nil {
			bad("sip.node_address", fmt.Sprintf("%q is neither an address nor address:port", s.NodeAddress))
		}
	}
	if s.Qualify != 0 && (s.Qualify < 10 || s.Qualify > 3600) {
		bad("sip.qualify", "must be 0 or 10 to 3600")
	}
	return errs
}

func (c Config) validateProvision() []error {
	p := c.Provision
	var errs []error
	bad := func(path, reason string) { errs = append(errs, fmt.Errorf("%s: %s", path, reason)) }
	if err := oneOf(p.Enroll, "pending", "auto", "closed"); err != nil {
		bad("provision.enroll", err.Error())
	}
	if err := oneOf(p.Secrets, "mac", "lan", "token", "mtls"); err != nil {
		bad("provision.secrets", err.Error())
	}
	if p.ProbeBudget < 1 {
		bad("provision.probe_budget", "must be at least 1")
	}
	for i, d := range p.Decoys {
		if mac, err := phone.ParseMAC(d); err != nil || mac.IsZero() {
			bad(fmt.Sprintf("provision.decoys[%d]", i), fmt.Sprintf("%q is not a MAC address", d))
		}
	}
	if err := oneOf(p.Below, "deny", "strip"); err != nil {
		bad("provision.below", err.Error())
	}
	if err := oneOf(p.HTTPAuth, Off, "basic", "digest"); err != nil {
		bad("provision.http_auth", err.Error())
	}
	for i, cidr := range p.LAN {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			bad(fmt.Sprintf("provision.lan[%d]", i), fmt.Sprintf("%q is not a network such as 192.168.0.0/16", cidr))
		}
	}
	if p.URL != "" {
		if u, err := url.Parse(p.URL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
			bad("provision.url", "is not a URL such as http://192.0.2.1:8081/ without credentials")
		}
	}
	if _, err := time.LoadLocation(p.TimeZone); err != nil || p.TimeZone == "Local" {
		bad("provision.timezone", fmt.Sprintf("%q is not an IANA time zone such as Europe/Paris", p.TimeZone))
	}
	if p.NTP != "" && !isHost(p.NTP) {
		bad("provision.ntp", fmt.Sprintf("%q is neither an address nor a host name", p.NTP))
	}
	return errs
}

func (c Config) validateUploads() []error {
	var errs []error
	for _, limit := range []struct {
		path string
		n    int
	}{{"uploads.file_kb", c.Uploads.FileKB}, {"uploads.phone_kb", c.Uploads.PhoneKB}, {"uploads.total_mb", c.Uploads.TotalMB}} {
		if limit.n < 1 || limit.n > 1<<24 {
			errs = append(errs, fmt.Errorf("%s: must be 1 to %d", limit.path, 1<<24))
		}
	}
	if c.Firmware.Downloads < 1 || c.Firmware.Downloads > 10000 {
		errs = append(errs, errors.New("firmware.downloads: must be 1 to 10000"))
	}
	if c.Uploads.Keep < Duration(time.Hour) {
		errs = append(errs, errors.New("uploads.keep: must be at least 1h"))
	}
	return errs
}

func checkListen(v string) error {
	if v == Off {
		return nil
	}
	host, port, err := net.SplitHostPort(v)
	if err != nil {
		return fmt.Errorf("%q is neither off nor an address such as :8081 or 127.0.0.1:8081", v)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is not a port", port)
	}
	if host != "" && !isHost(host) {
		return fmt.Errorf("%q is neither an address nor a host name", host)
	}
	return nil
}

func checkURL(v string, schemes ...string) error {
	if v == "" {
		return nil
	}
	scheme, _, ok := strings.Cut(v, "://")
	if !ok || !slices.Contains(schemes, scheme) {
		return fmt.Errorf("is not a URL with one of the schemes %s", strings.Join(schemes, ", "))
	}
	return nil
}

func oneOf(v string, allowed ...string) error {
	if slices.Contains(allowed, v) {
		return nil
	}
	return fmt.Errorf("%q is not one of %s", v, strings.Join(allowed, ", "))
}

func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i] | 0x20; (c < 'a' || c > 'z') && (label[i] < '0' || label[i] > '9') && label[i] != '-' {
				return false
			}
		}
	}
	return true
}
