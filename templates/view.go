package templates

import (
	"maps"
	"regexp"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// View is what a template sees of one phone and of the server: plain values only.
// A file that belongs to no phone ("common") has a zero MAC and no lines.
type View struct {
	Vendor string // phone.Vendor
	Model  string // as in the inventory; may be empty
	Name   string // free text; may be empty
	MAC    MAC
	Lines  []Line // ascending by Number
	Server Server

	NTP           string // host name or address of the time server
	TimeZone      TimeZone
	AdminPassword phone.Secret // of the phone's menu and web page; may be empty
	UserPassword  phone.Secret // of the ordinary user; may be empty
	ProvisionURL  string       // where the phone fetches its files, ends in "/"; may be empty
	Sticky        bool         // it fetches from ProvisionURL alone, whatever DHCP says: only there it is known

	// What the phone answers with when it is asked who it is at ProvisionURL; both are
	// empty where it is not asked.
	ProvisionUser     string
	ProvisionPassword phone.Secret

	Firmware Firmware // what the phone is to run; zero: as it finds it
	// Vars are the variables that the template declares, by name: the phone's own
	// values, else the defaults.
	Vars map[string]string

	// Raw holds vendor parameters that go into the file as they are and win over
	// what the template writes. Names are checked by the escaper "param".
	Raw map[string]string
}

// MAC is the Ethernet address in the spellings that files need.
type MAC struct {
	Hex    string // "0004f2abcdef"; empty when there is none
	Upper  string // "0004F2ABCDEF"
	Colons string // "00:04:F2:AB:CD:EF"
}

// NewMAC spells m. The zero MAC gives the zero value.
func NewMAC(m phone.MAC) MAC {
	if m.IsZero() {
		return MAC{}
	}
	return MAC{Hex: m.Hex(), Upper: strings.ToUpper(m.Hex()), Colons: m.String()}
}

// Line is one account of the phone.
type Line struct {
	Number      int    // 1 is the first line
	User        string // number of the extension: the user part of the AOR
	AuthUser    string // digest user minted for this line
	Password    phone.Secret
	DisplayName string
	Label       string
}

// Server is where the phone registers.
type Server struct {
	Host      string
	Port      int    // 1..65535
	Transport string // "udp", "tcp" or "tls"
	Domain    string // SIP domain, which is the digest realm
	Expires   int    // registration interval in seconds
	// OutboundProxy is where all SIP goes; an empty host means straight to Host.
	OutboundProxy HostPort
}

// Firmware is the image that a phone is to run.
type Firmware struct {
	URL     string // of the image; no secrets in it
	Dir     string // its folder below the one of the phone's files, ends in "/"
	DirURL  string // URL of that folder, ends in "/"
	File    string // its name there, as the phone's file gives it
	Version string // may be empty
}

// HostPort is a host and a port.
type HostPort struct {
	Host string
	Port int // 0: the default of the transport
}

// Mask is what RenderMasked prints for every secret.
const Mask = "********"

// masked returns a copy of v in which no secret is left. Empty secrets stay empty,
// so that a template takes the same branches.
func (v View) masked() View {
	mask := phone.NewSecret(Mask)
	if !v.AdminPassword.IsZero() {
		v.AdminPassword = mask
	}
	if !v.UserPassword.IsZero() {
		v.UserPassword = mask
	}
	if !v.ProvisionPassword.IsZero() {
		v.ProvisionPassword = mask
	}
	lines := make([]Line, len(v.Lines))
	for i, l := range v.Lines {
		if !l.Password.IsZero() {
			l.Password = mask
		}
		lines[i] = l
	}
	v.Lines = lines
	v.ProvisionURL = tokenPath.ReplaceAllString(v.ProvisionURL, "/p/"+Mask+"/")
	raw := maps.Clone(v.Raw)
	for name := range raw {
		if secretName.MatchString(name) {
			raw[name] = Mask
		}
	}
	v.Raw = raw
	return v
}

// tokenPath is the part of a URL that only one phone may know.
var tokenPath = regexp.MustCompile(`/p/[^/]+/`)

// SecretParam recognises vendor parameters that hold a secret: by name for Polycom
// and Yealink, by number for Grandstream (admin, user and account passwords, keys of
// the configuration file, HTTP password; phone-facts grandstream_pvalues.csv).
func SecretParam(name string) bool { return secretName.MatchString(name) }

var secretName = regexp.MustCompile(
	`(?i)(passw|secret|aes_key|encryption\.key|\.key$|pin$|^P(1|2|34|196|406|506|606|1706|1806|1359|1361|6769)$)`)
