package templates

import (
	"path"
	"regexp"
	"slices"

	"pbx.dev/dialtone/internal/phone"
)

// Warning is something in a file that is allowed and may be a mistake.
type Warning struct {
	Code      string // "lockout", "fork-ring", "secret", "unknown-parameter"
	Parameter string
	Line      int // of the file; 1 is the first
	Reason    string
}

// rule flags a parameter by its name and, when values is not nil, by its value.
type rule struct {
	vendor phone.Vendor
	name   *regexp.Regexp
	values *regexp.Regexp
	code   string
	reason string
}

// rules are what can cut a phone off from its server, and what breaks ringing
// together. Names are those of phone-facts/params: polycom_params_all.txt,
// yealink_params_all.txt, grandstream_pvalues_all.csv.
var rules = []rule{
	{phone.Polycom, regexp.MustCompile(`^device\.net\.vlanId$`), nil, "lockout", "moves the phone to another VLAN"},
	{phone.Polycom, regexp.MustCompile(`^device\.dhcp\.enabled$`), regexp.MustCompile(`^0$`), "lockout", "turns DHCP off"},
	{phone.Polycom, regexp.MustCompile(`^device\.net\.(ipAddress|subnetMask|IPgateway)$`), nil, "lockout", "gives the phone a fixed address"},
	{phone.Polycom, regexp.MustCompile(`^device\.(dns\.serverAddress|dns\.altSrvAddress)$`), nil, "lockout", "gives the phone a fixed DNS server"},
	{phone.Polycom, regexp.MustCompile(`^device\.(prov\.server(Name|Type)|dhcp\.bootSrv(UseOpt|Opt))$`), nil, "lockout", "changes where the phone gets its configuration"},
	{phone.Polycom, regexp.MustCompile(`^device\.sec\.TLS\.(customCaCert|profile\.caCertList|profileSelection\.provisioning|protocol\.prov)`), nil, "lockout", "changes which servers the phone trusts"},
	{phone.Polycom, regexp.MustCompile(`^device\.net\.dot1x\.enabled$`), nil, "lockout", "changes 802.1X"},

	{phone.Yealink, regexp.MustCompile(`^(static\.)?network\.vlan\.internet_port_(enable|vid)$`), nil, "lockout", "moves the phone to another VLAN"},
	{phone.Yealink, regexp.MustCompile(`^(static\.)?network\.internet_port\.type$`), regexp.MustCompile(`^[^0]`), "lockout", "turns DHCP off"},
	{phone.Yealink, regexp.MustCompile(`^(static\.)?network\.internet_port\.(ip|mask|gateway)$`), nil, "lockout", "gives the phone a fixed address"},
	{phone.Yealink, regexp.MustCompile(`^(static\.)?network\.(primary|secondary)_dns$`), nil, "lockout", "gives the phone a fixed DNS server"},
	{phone.Yealink, regexp.MustCompile(`^(static\.)?auto_provision\.(server\.url|dhcp_option\.enable|power_on)$`), nil, "lockout", "changes where the phone gets its configuration"},
	{phone.Yealink, regexp.MustCompile(`^(static\.)?security\.(trust_certificates|ca_cert|auto_provision\.trust_certificates)$`), nil, "lockout", "changes which servers the phone trusts"},
	{phone.Yealink, regexp.MustCompile(`^(static\.)?network\.802_1x\.mode$`), nil, "lockout", "changes 802.1X"},
	{phone.Yealink, regexp.MustCompile(`^account\.\d+\.unregister_on_reboot$`), regexp.MustCompile(`^1$`), "fork-ring", "unregisters every phone of the extension when this one restarts"},

	{phone.Grandstream, regexp.MustCompile(`^P51$`), regexp.MustCompile(`[^0]`), "lockout", "moves the phone to another VLAN"},
	{phone.Grandstream, regexp.MustCompile(`^P8$`), regexp.MustCompile(`^[^0]`), "lockout", "turns DHCP off"},
	{phone.Grandstream, regexp.MustCompile(`^P(9|1[0-9]|20)$`), nil, "lockout", "gives the phone a fixed address"},
	{phone.Grandstream, regexp.MustCompile(`^P(2[1-8]|9[2-5])$`), nil, "lockout", "gives the phone a fixed DNS server"},
	{phone.Grandstream, regexp.MustCompile(`^P(237|212|145|8337)$`), nil, "lockout", "changes where the phone gets its configuration"},
	{phone.Grandstream, regexp.MustCompile(`^P22030$`), nil, "lockout", "changes which servers the phone trusts"},
	{phone.Grandstream, regexp.MustCompile(`^P(81|411|511|611|752|1711|1811)$`), regexp.MustCompile(`^1$`), "fork-ring", "unregisters every phone of the extension when this one restarts"},
}

// Lint looks for parameters of a rendered file of template file ("yealink/phone")
// that can cut a phone off or keep phones from ringing together. What usual, the file
// as the built-in template renders it, sets to the same value is no news.
func Lint(file string, params, usual []Parameter) []Warning {
	vendor := phone.Vendor(path.Dir(file))
	var out []Warning
	for _, p := range params {
		if slices.ContainsFunc(usual, func(u Parameter) bool { return u.Name == p.Name && u.Value == p.Value }) {
			continue
		}
		for _, r := range rules {
			if r.vendor == vendor && r.name.MatchString(p.Name) && (r.values == nil || r.values.MatchString(p.Value)) {
				out = append(out, Warning{Code: r.code, Parameter: p.Name, Line: p.Line, Reason: r.reason})
			}
		}
	}
	return out
}
