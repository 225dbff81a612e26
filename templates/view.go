package templates

import (
	"maps"
	"regexp"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// View is what a template sees of one phone and of the server: plain values only.
// A file that belongs to no phone ("common") has a zero MAC and no lines. A text
// that is empty was not set: the file leaves the parameter to the phone. Booleans
// are the texts "1" and "0". The tag is the setting that fills a field.
type View struct {
	Vendor string // phone.Vendor
	Model  string // as in the inventory; may be empty
	Name   string // free text; may be empty
	MAC    MAC
	Lines  []Line // ascending by Number
	Server Server

	NTP        string   `setting:"ntp"` // host name or address of the time server
	TimeZone   TimeZone `setting:"timezone"`
	TimeFormat string   `setting:"time.format"` // "12" or "24"
	Language   string   `setting:"language"`    // "en", "fr", "de", "es", "it", "nl"

	VLAN     VLAN
	LLDP     string `setting:"lldp"`
	CDP      string `setting:"cdp"`
	QoS      QoS
	Web      Web
	Syslog   Syslog
	Volume   Volume
	Call     Call
	Firmware Firmware // what the phone is to run; zero: as it finds it
	Schedule Schedule

	AdminPassword phone.Secret `setting:"adminPassword"` // of the phone's menu and web page; may be empty
	UserPassword  phone.Secret `setting:"userPassword"`  // of the ordinary user; may be empty
	Wallpaper     string       `setting:"wallpaper"`     // URL
	ProvisionURL  string       // where the phone fetches its files, ends in "/"; may be empty
	Sticky        bool         // it fetches from ProvisionURL alone, whatever DHCP says: only there it is known

	// What the phone answers with when it is asked who it is at ProvisionURL; both are
	// empty where it is not asked.
	ProvisionUser     string
	ProvisionPassword phone.Secret

	// PhonebookURL is the folder of the phone's own phone book, ends in "/"; empty:
	// it shall have none.
	PhonebookURL   string `setting:"phonebook"`
	PhonebookPages []int  // numbers of its files: 1, or 1, 2, ...

	Keys       []Key // line keys, ascending by Number
	ModuleKeys []Key // keys of expansion modules, ascending by Module and Number
	Contacts   []Contact

	// Vars are the variables that the template declares, by name: the phone's own
	// values, else the defaults.
	Vars map[string]string `setting:"vars"`

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
	DisplayName string `setting:"lines.#.displayName"`
	Label       string `setting:"lines.#.label"`
	Server      Server

	SRTP      string  `setting:"lines.#.srtp"`   // "off", "optional", "required"
	Codecs    []Codec `setting:"lines.#.codecs"` // all that the schema knows; none: not set
	DTMF      string  `setting:"lines.#.dtmf"`   // "rfc2833", "info", "inband"
	Voicemail string  `setting:"lines.#.voicemail.number"`
	MWI       string  `setting:"lines.#.voicemail.subscribe"`
	Ring      string  `setting:"lines.#.ring"` // number of the tone
	DND       string  `setting:"lines.#.dnd"`
	// Where calls go; "off": nowhere.
	ForwardAlways   string `setting:"lines.#.forward.always"`
	ForwardBusy     string `setting:"lines.#.forward.busy"`
	ForwardNoAnswer string `setting:"lines.#.forward.noAnswer"`
	NoAnswerSeconds string `setting:"lines.#.forward.noAnswerSeconds"`
}

// Server is where the phone registers.
type Server struct {
	Host      string `setting:"lines.#.sipServer"`
	Port      int    `setting:"lines.#.sipPort"`   // 1..65535
	Transport string `setting:"lines.#.transport"` // "udp", "tcp" or "tls"
	Domain    string // SIP domain, which is the digest realm
	Expires   int    `setting:"lines.#.expires"` // registration interval in seconds
	// OutboundProxy is where all SIP goes; an empty host means straight to Host.
	OutboundProxy HostPort `setting:"lines.#.outboundProxy"`
}

// Firmware is the image that a phone is to run.
type Firmware struct {
	URL     string `setting:"firmware.url"` // of the image; no secrets in it
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

// Codec is one codec of a line.
type Codec struct {
	Name     string // as SDP has it, in lower case: "pcmu", "g722"
	Enabled  string // "1", "0"
	Priority int    // 1 is the best; 0: off
}

// VLAN is the phone's place in the network.
type VLAN struct {
	ID       string `setting:"vlan.id"` // "0": untagged
	Priority string `setting:"vlan.priority"`
	PC       string `setting:"vlan.pc"`
}

// QoS is the DSCP of what the phone sends.
type QoS struct {
	SIP string `setting:"qos.sip"`
	RTP string `setting:"qos.rtp"`
}

// Web is the phone's web page.
type Web struct {
	Enabled string `setting:"web.enabled"`
	HTTPS   string `setting:"web.https"`
}

// Syslog is where the phone's log goes.
type Syslog struct {
	Server string `setting:"syslog.server"`
	Level  string `setting:"syslog.level"` // "error", "warning", "info", "debug"
}

// Volume is the loudness of the phone.
type Volume struct {
	Ring string `setting:"volume.ring"` // 0..7
	Keep string `setting:"volume.keep"`
}

// Call is how the phone treats calls.
type Call struct {
	Waiting        string `setting:"callWaiting"`
	DNDAllowed     string `setting:"dnd.allowed"`
	ForwardAllowed string `setting:"forward.allowed"`
	Pickup         string `setting:"pickup"`
}

// Schedule is when the phone looks for a new configuration.
type Schedule struct {
	Minutes string `setting:"provisioning.interval"` // "0": never
	Daily   string `setting:"provisioning.daily"`    // "03:30"
}

// Key is a programmable key.
type Key struct {
	Module int // expansion module; 0: the phone itself
	Number int
	Type   string `setting:"keys.#.type"` // "line", "blf", "speeddial", "park", "dtmf", "none"
	Value  string `setting:"keys.#.value"`
	Label  string `setting:"keys.#.label"`
	Line   int    `setting:"keys.#.line"` // line that the key uses
	Pickup string // of a busy lamp: code and number that pick the call up; may be empty
	Lamp   int    // place among the busy lamps of the phone itself, from 1; 0: it is none
}

// Contact is one entry of the phone book.
type Contact struct {
	Number string
	Name   string // the number, when there is no name
	Speed  int    // number of the speed dial key; 0: none
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
	for _, url := range []*string{&v.ProvisionURL, &v.PhonebookURL, &v.Firmware.URL, &v.Firmware.DirURL} {
		*url = tokenPath.ReplaceAllString(*url, "/p/"+Mask+"/")
	}
	raw := maps.Clone(v.Raw)
	for name := range raw {
		if phone.SecretParam(name) {
			raw[name] = Mask
		}
	}
	v.Raw = raw
	return v
}

// tokenPath is the part of a URL that only one phone may know.
var tokenPath = regexp.MustCompile(`/p/[^/]+/`)
