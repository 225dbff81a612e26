package provision

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"pbx.dev/dialtone/internal/phone"
)

// Target is what a requested path means. It is a key, not a path: nothing in it
// reaches a file system but Name of KindFirmware, which has no separators.
type Target struct {
	Vendor phone.Vendor // empty for <mac>.cfg and for firmware
	MAC    phone.MAC    // zero: the file belongs to no single phone
	Kind   Kind
	Model  string // of cfg<model>.xml, in lower case
	Name   string // the file name in its usual spelling; firmware as it was asked for
	Page   int    // of a phone book; 0 or 1: the first
	Image  string // ID of the firmware image in fw/<mac>/<id>/<name>
	Token  string // of /p/{token}/; empty when the path has none
}

const (
	maxPath  = 512 // bytes of a path
	maxName  = 255 // bytes of a file name (Polycom's limit as well)
	maxToken = 128

	suffixDialtone = "-dialtone.cfg"
	commonPolycom  = "dialtone-common.cfg"
	zeros          = "000000000000"
	firmwareFolder = "fw"
)

// Parse reads the path of a TFTP or HTTP request in any spelling phones use: any
// case, one or more leading slashes, doubled slashes, a token path, MACs with
// separators and "%3A". It reports false for what no phone of ours asks for, which
// includes every path with "..".
func Parse(path string) (Target, bool) {
	if len(path) > maxPath || !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) {
		return Target{}, false
	}
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
	var token string
	if len(segments) > 2 && strings.EqualFold(segments[0], "p") && validToken(segments[1]) {
		token, segments = segments[1], segments[2:]
	}
	t, ok := parseSegments(segments)
	t.Token = token
	return t, ok
}

// bookName reads MAC/phonebook.xml and MAC/phonebook-2.xml: the folder is what says
// whose book it is, for phones that choose the file's name themselves.
func bookName(folder, name string) (Target, bool) {
	mac, rest, ok := cutMAC(folder)
	if !ok || rest != "" {
		return Target{}, false
	}
	t := Target{MAC: mac, Kind: KindBook, Page: 1, Name: mac.Hex() + "/" + name}
	if name == "phonebook.xml" || name == "gs_phonebook.xml" {
		return t, true
	}
	page, ok := strings.CutPrefix(name, "phonebook-")
	page, ok2 := strings.CutSuffix(page, ".xml")
	if !ok || !ok2 || len(page) != 1 || page[0] < '2' || page[0] > '9' {
		return Target{}, false
	}
	t.Page = int(page[0] - '0')
	return t, true
}

// parseSegments reads a name, or fw/<mac>/<id>/<name>: an image under the path that
// the phone with this MAC was told.
func parseSegments(segments []string) (Target, bool) {
	switch len(segments) {
	case 1:
		return parseName(segments[0])
	case 2:
		return bookName(strings.ToLower(segments[0]), strings.ToLower(segments[1]))
	}
	if len(segments) != 4 || !strings.EqualFold(segments[0], firmwareFolder) || !validToken(segments[2]) {
		return Target{}, false
	}
	mac, err := phone.ParseMAC(segments[1])
	t, ok := firmwareName(segments[3])
	t.MAC, t.Image = mac, strings.ToLower(segments[2])
	return t, ok && err == nil && !mac.IsZero()
}

func validToken(s string) bool {
	for _, c := range []byte(s) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) <= maxToken
}

func parseName(name string) (Target, bool) {
	if len(name) > maxName {
		return Target{}, false
	}
	low := strings.ToLower(name)
	if t, ok := fixedName(low); ok {
		return t, true
	}
	if strings.HasPrefix(low, "y") {
		if t, ok := yealinkName(low); ok {
			return t, true
		}
	}
	if rest, ok := strings.CutPrefix(low, "cfg"); ok {
		return grandstreamName(rest)
	}
	if mac, rest, ok := cutMAC(low); ok {
		if t, ok := phoneName(mac, rest); ok {
			return t, true
		}
	}
	return firmwareName(name)
}

// fixedName knows the names that have no variable part.
func fixedName(low string) (Target, bool) {
	t := Target{Name: low}
	switch low {
	case zeros + ".cfg":
		t.Vendor, t.Kind = phone.Polycom, KindMaster
	case commonPolycom:
		t.Vendor, t.Kind = phone.Polycom, KindCommon
	case zeros + "-directory.xml":
		t.Vendor, t.Kind = phone.Polycom, KindDirectory
	case zeros + "-license.cfg":
		t.Vendor, t.Kind = phone.Polycom, KindLicense
	case "cfg.xml":
		t.Vendor, t.Kind = phone.Grandstream, KindCommon
	case "phonebook.xml", "gs_phonebook.xml":
		t.Vendor, t.Kind = phone.Grandstream, KindBook
	default:
		return Target{}, false
	}
	return t, true
}

// yealinkName reads y000000000000.boot and y0000000000NN.cfg. Twelve digits after
// the y look like a MAC and are none: nine zeros and the code of the model
// (two or three digits; phone-facts/README.md 3.2).
func yealinkName(low string) (Target, bool) {
	digits, rest, ok := cutDigits(low[1:], 12)
	if !ok || !strings.HasPrefix(digits, zeros[:9]) {
		return Target{}, false
	}
	t := Target{Vendor: phone.Yealink, Name: low}
	switch {
	case rest == ".boot" && digits == zeros:
		t.Kind = KindBoot
	case rest == ".cfg":
		t.Kind = KindCommon
	default:
		return Target{}, false
	}
	return t, true
}

func cutDigits(s string, n int) (digits, rest string, ok bool) {
	if len(s) < n {
		return "", s, false
	}
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return "", s, false
		}
	}
	return s[:n], s[n:], true
}

// grandstreamName reads what follows "cfg": a MAC or a model.
func grandstreamName(rest string) (Target, bool) {
	t := Target{Vendor: phone.Grandstream}
	if mac, tail, ok := cutMAC(rest); ok {
		t.MAC, t.Kind, t.Name = mac, KindBinary, "cfg"+mac.Hex()
		switch tail {
		case "", ".bin":
		case ".xml":
			t.Kind, t.Name = KindPhone, t.Name+".xml"
		default:
			return Target{}, false
		}
		return t, true
	}
	model, ok := strings.CutSuffix(rest, ".xml")
	if !ok || !validModel(model) {
		return Target{}, false
	}
	t.Kind, t.Model, t.Name = KindCommon, model, "cfg"+model+".xml"
	return t, true
}

// validModel: a letter, then letters, digits, dashes and underscores, at most 32.
func validModel(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '_') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 32
}

// cutMAC reads twelve hexadecimal digits, with or without separators between them,
// at the start of s; separators stand after an even number of digits. Twelve zeros
// are no MAC.
func cutMAC(s string) (mac phone.MAC, rest string, ok bool) {
	n, end := 0, 0
	for end < len(s) && n < 12 {
		c := s[end]
		switch {
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f':
			n++
			end++
		case n == 0 || n%2 != 0: // part numbers such as 3111-44500-001 have twelve digits as well
			return phone.MAC{}, s, false
		case c == ':' || c == '-' || c == '.' || c == ' ':
			end++
		case strings.HasPrefix(s[end:], "%3a"):
			end += 3
		default:
			return phone.MAC{}, s, false
		}
	}
	mac, err := phone.ParseMAC(s[:end])
	return mac, s[end:], err == nil && !mac.IsZero()
}

// phoneName reads what follows the MAC in the names of Polycom and Yealink phones.
func phoneName(mac phone.MAC, rest string) (Target, bool) {
	t := Target{MAC: mac, Name: mac.Hex() + rest}
	switch rest {
	case ".cfg": // both have it
		t.Kind = KindMAC
	case suffixDialtone:
		t.Vendor, t.Kind = phone.Polycom, KindPhone
	case "-phone.cfg", "-web.cfg":
		t.Vendor, t.Kind = phone.Polycom, KindOverride
	case "-license.cfg":
		t.Vendor, t.Kind = phone.Polycom, KindLicense
	case "-calls.xml":
		t.Vendor, t.Kind = phone.Polycom, KindCalls
	case "-directory.xml":
		t.Vendor, t.Kind = phone.Polycom, KindDirectory
	case "-app.log", "-boot.log":
		t.Vendor, t.Kind = phone.Polycom, KindLog
	case ".boot":
		t.Vendor, t.Kind = phone.Yealink, KindBoot
	case "-local.cfg":
		t.Vendor, t.Kind = phone.Yealink, KindOverride
	case "-contact.xml":
		t.Vendor, t.Kind = phone.Yealink, KindDirectory
	case "-calllog.xml":
		t.Vendor, t.Kind = phone.Yealink, KindCalls
	default:
		if !yealinkLog(rest) {
			return Target{}, false
		}
		t.Vendor, t.Kind = phone.Yealink, KindLog
	}
	return t, true
}

// yealinkLog reads "-sys.log" and the like: a Yealink's backup of its logs is known
// to end so, the word before it is not (phone-facts/request_sequence.md 2.3 [V params]).
func yealinkLog(rest string) bool {
	word, ok := strings.CutSuffix(rest, ".log")
	return ok && strings.HasPrefix(word, "-") && validModel(word[1:])
}

// firmwareEndings are the endings of the vendors' images and of what lies beside
// them (phone-facts/README.md 3).
func firmwareEndings() []string {
	return []string{".ld", ".ver", ".rom", ".bin", ".img", ".zip", ".tar", ".wav", ".lang"}
}

// firmwareName lets through one plain file name. Vendors' names hold parentheses,
// commas and blanks: "T46U(T43U,T46U)-108.86.0.90.rom".
func firmwareName(name string) (Target, bool) {
	if name[0] == '.' || strings.Contains(name, "..") || strings.ContainsAny(name, `:*?"<>|`) {
		return Target{}, false
	}
	low := strings.ToLower(strings.TrimRight(name, " "))
	for _, end := range firmwareEndings() {
		if strings.HasSuffix(low, end) {
			return Target{Kind: KindFirmware, Name: name}, true
		}
	}
	return Target{}, false
}
