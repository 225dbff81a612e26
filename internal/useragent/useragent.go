// Package useragent reads the User-Agent text of phones: who made it, which
// model, which firmware, which MAC it claims and what sort of phone it is. The
// grammar comes from phone-facts/README.md section 1 and user_agents.csv. It
// does not decide which device a phone is: the text is written by the peer and
// a MAC found in it is a hint, never a proof.
package useragent

import (
	"strings"
	"unicode/utf8"

	"pbx.dev/dialtone/internal/phone"
)

// MaxLen is how many bytes of a User-Agent are looked at; the rest is cut off.
const MaxLen = 256

// Context says where a User-Agent was seen: phones write different texts in SIP
// and when they fetch files.
type Context uint8

// The contexts.
const (
	SIP  Context = 1
	HTTP Context = 2
)

// Type is what sort of phone it is, as the REST API spells it ("deviceType").
type Type string

// The types. The empty Type means the text does not tell.
const (
	Hardware  Type = "hardware"
	Softphone Type = "softphone"
	WebRTC    Type = "webrtc"
	Mobile    Type = "mobile"
)

// Agent is what a User-Agent says. What it does not say is empty.
type Agent struct {
	Vendor   string    // display name, e.g. "Polycom", "Snom", "Linphone iOS"
	Model    string    // display form, e.g. "VVX 450", "T46S"; empty for software
	Firmware string    // version as the phone writes it, without a leading "V"
	MAC      phone.MAC // the MAC the text claims; zero if none
	Type     Type
}

// Parse reads one User-Agent. Text that nothing is known about gives the zero
// Agent. It never fails, looks at MaxLen bytes at most and ignores control bytes.
func Parse(ua string, ctx Context) Agent {
	ua = strings.TrimSpace(Clean(ua))
	if ua == "" {
		return Agent{}
	}
	return rules().parse(ua, ctx)
}

// ParseContact is Parse for the User-Agent of a REGISTER, with what the contact
// itself tells: a browser's SIP library lets the application write any
// User-Agent, but it always registers over a WebSocket and with a host below
// ".invalid" (RFC 7118 appendix A). A text that names a desk phone or a mobile
// app keeps its type.
func ParseContact(ua, transport, contactURI string) Agent {
	a := Parse(ua, SIP)
	if FromBrowser(transport, contactURI) {
		a = a.InBrowser()
	}
	return a
}

// InBrowser returns a as it is for a contact with the marks of FromBrowser.
func (a Agent) InBrowser() Agent {
	if a.Type == "" || a.Type == Softphone {
		a.Type = WebRTC
	}
	return a
}

// FromBrowser reports whether a contact has the marks of RFC 7118: it came over
// a WebSocket, says so in its URI, or has a host below ".invalid".
func FromBrowser(transport, uri string) bool {
	if strings.EqualFold(transport, "ws") || strings.EqualFold(transport, "wss") {
		return true
	}
	if len(uri) > 4*MaxLen {
		uri = uri[:4*MaxLen]
	}
	uri = strings.ToLower(strings.Trim(uri, "<>"))
	addr, params, _ := strings.Cut(uri, ";")
	for p := range strings.SplitSeq(params, ";") {
		if p == "transport=ws" || p == "transport=wss" {
			return true
		}
	}
	if i := strings.LastIndexByte(addr, '@'); i >= 0 {
		addr = addr[i+1:]
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(addr, "sips:"), "sip:"), ":")
	return strings.HasSuffix(host, ".invalid")
}

// Clean returns ua as it can be shown and stored: at most MaxLen bytes, without
// control bytes and bytes that are not UTF-8, which some phones send.
func Clean(ua string) string {
	if len(ua) > MaxLen {
		ua = ua[:MaxLen]
	}
	if plain(ua) {
		return ua
	}
	var b strings.Builder
	b.Grow(len(ua))
	for i := 0; i < len(ua); {
		r, n := utf8.DecodeRuneInString(ua[i:])
		bad := r == utf8.RuneError && n <= 1
		if !bad && r >= 0x20 && (r < 0x7f || r > 0x9f) {
			b.WriteString(ua[i : i+n])
		}
		i += n
	}
	return b.String()
}

// plain reports whether ua is printable ASCII, as nearly every User-Agent is.
func plain(ua string) bool {
	for i := range len(ua) {
		if ua[i] < 0x20 || ua[i] > 0x7e {
			return false
		}
	}
	return true
}
