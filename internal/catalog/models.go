package catalog

import (
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// Model is what is known of one product. Unknown numbers are -1, unknown texts
// empty. Its slices are shared by all callers and must not be changed.
type Model struct {
	Vendor phone.Vendor // whose files it reads: "polycom" for Poly too
	Maker  string       // display name of the maker: "Polycom", "Poly", "Yealink", "Grandstream"
	Name   string       // display form: "VVX 450", "SoundPoint IP 650", "T46S"
	Code   string       // as phones and file names spell it: "VVX450", "SPIP650", "T46S"
	Family string       // "VVX", "T-series", "GXP"

	Lines    int // SIP accounts; -1 when not known
	LineKeys int // keys that can be lines; -1 when not known

	Expansion       string   // expansion modules, a remark for people
	ConfigFiles     string   // files it asks for, a remark for people
	YealinkCommon   string   // Yealink common file, "y000000000065.cfg"
	PartNumbers     []string // Polycom part numbers, "3111-48840-001"
	LDFiles         []string // Polycom firmware files, "3111-48840-001.sip.ld"
	FirmwareFile    string   // firmware file of other vendors, as seen in public
	FirmwareVersion string   // version of that file
	FirmwarePrefix  string   // Yealink: first number of a version that fits, "66"

	Unverified bool   // a number or the whole row has no confirmed source
	Source     string // where the row comes from
	linesSure  bool   // the cell of Lines says nothing of doubt
}

// modelTable finds a model by the key of its name.
type modelTable struct {
	all   []Model
	byKey map[string]int // "<vendor>/<key>" to index in all
}

// Lookup finds a model of vendor ("polycom", "Poly", "Yealink", "" for
// any) by any usual spelling of its name: "VVX450", "vvx 450", "VVX_450",
// "SPIP_650", "SIP-T46S", "Yealink T46S", "HT-503".
func Lookup(vendor, name string) (Model, bool) {
	t := models()
	for _, v := range phone.Vendors() {
		if vendor != "" && CanonicalVendor(vendor) != v {
			continue
		}
		if i, ok := t.byKey[string(v)+"/"+modelKey(v, name)]; ok {
			return t.all[i], true
		}
	}
	return Model{}, false
}

// Models lists the models of a vendor in the order of the table.
func Models(v phone.Vendor) []Model {
	var out []Model
	for _, m := range models().all {
		if m.Vendor == v {
			out = append(out, m)
		}
	}
	return out
}

// SameModel reports whether two spellings name one model of vendor. The table
// need not know it: letters and digits are compared.
func SameModel(vendor, a, b string) bool {
	if a == b {
		return true
	}
	v := CanonicalVendor(vendor)
	ka, kb := modelKey(v, a), modelKey(v, b)
	if ka == kb {
		return true
	}
	// T58A and T58V report "SIP-T58" (phone-facts/README.md section 1).
	return v == phone.Yealink && (ka == "T58" || kb == "T58") && strings.HasPrefix(ka, "T58") && strings.HasPrefix(kb, "T58")
}

// CanonicalVendor folds the spellings of a maker ("Poly", "Yealink", "Tiptel
// (Yealink OEM)") into the vendor whose files its phones read; of another maker
// it is the name in lower case.
func CanonicalVendor(s string) phone.Vendor {
	v := phone.Vendor(strings.ToLower(strings.TrimSpace(s)))
	switch {
	case v == "poly":
		return phone.Polycom
	case strings.HasPrefix(string(v), "tiptel"):
		return phone.Yealink
	}
	return v
}

// modelKey reduces a spelling to letters and digits in upper case, without the
// vendor's name and with Polycom's two long family names shortened.
func modelKey(v phone.Vendor, name string) string {
	if len(name) > 64 {
		name = name[:64]
	}
	var b strings.Builder
	for _, c := range []byte(strings.ToUpper(name)) {
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
		}
	}
	k := strings.TrimPrefix(b.String(), strings.ToUpper(string(v)))
	switch v {
	case phone.Polycom:
		k = strings.TrimPrefix(k, "POLY")
		for _, p := range [][2]string{{"SOUNDPOINTIP", "SPIP"}, {"SOUNDSTATIONIP", "SSIP"}, {"SOUNDSTATIONDUO", "SSDUO"}, {"REALPRESENCETRIO", "TRIO"}} {
			if rest, ok := strings.CutPrefix(k, p[0]); ok {
				k = p[1] + rest
			}
		}
		// "Edge E450" is also called "E450".
		if len(k) > 1 && k[0] == 'E' && k[1] >= '0' && k[1] <= '9' {
			k = "EDGE" + k
		}
	case phone.Yealink:
		k = strings.TrimPrefix(strings.TrimPrefix(k, "SIPVP"), "SIP")
	}
	return k
}

func parseModels(text string) (*modelTable, error) {
	rows, err := records(text, "vendor", "model", "family", "max_sip_lines", "line_keys", "expansion_modules",
		"config_file_pattern", "yealink_common_cfg", "polycom_part_numbers", "polycom_ld_files", "firmware_file",
		"firmware_version_seen", "yealink_fw_prefix", "source")
	if err != nil {
		return nil, err
	}
	t := &modelTable{byKey: map[string]int{}}
	for _, r := range rows {
		m := modelOf(r)
		t.byKey[string(m.Vendor)+"/"+modelKey(m.Vendor, m.Code)] = len(t.all)
		t.all = append(t.all, m)
	}
	return t, nil
}

func modelOf(r []string) Model {
	m := Model{
		Vendor: CanonicalVendor(r[0]), Maker: r[0], Name: r[1], Code: r[1], Family: r[2],
		Lines: number(r[3]), LineKeys: number(r[4]), Expansion: r[5], ConfigFiles: r[6], YealinkCommon: r[7],
		PartNumbers: list(r[8]), FirmwareFile: r[10], FirmwareVersion: r[11], FirmwarePrefix: r[12],
		Unverified: strings.Contains(strings.ToLower(strings.Join(r, " ")), "unverified"), Source: r[13],
		linesSure: !strings.Contains(r[3], "unverified"),
	}
	if len(m.PartNumbers) > 0 {
		m.LDFiles = list(r[9])
	}
	if m.Vendor == phone.Polycom {
		m.Code = strings.ReplaceAll(m.Code, " ", "")
		m.Name = polycomName(r[1])
	}
	return m
}

// polycomName is the display form that the User-Agent classifier uses too.
func polycomName(code string) string {
	for _, p := range [][2]string{{"SPIP", "SoundPoint IP "}, {"SSIP", "SoundStation IP "}, {"VVX", "VVX "}, {"CCX", "CCX "}, {"Trio", "Trio "}, {"Rove", "Rove "}} {
		if rest, ok := strings.CutPrefix(code, p[0]); ok {
			return p[1] + rest
		}
	}
	return code
}

// number reads a cell such as "12", "8 (unverified)" or "".
func number(cell string) int {
	cell, _, _ = strings.Cut(cell, " ")
	if n, err := strconv.Atoi(cell); err == nil {
		return n
	}
	return -1
}

func list(cell string) []string {
	if cell == "" {
		return nil
	}
	return strings.Split(cell, "|")
}

// Keys is how many keys of the phone itself can be set; -1 when not known. Where the
// table has no line keys, the keys of its lines are all.
func (m Model) Keys() int { return max(m.Lines, m.LineKeys) }

// SureLines reports whether Lines is the phone's own limit. Those of Grandstream come
// from a list that counts what its templates use (phone-facts/README.md), except for
// adapters, whose ports one can see; others are sure unless their cell says unverified.
func (m Model) SureLines() bool {
	return m.Lines >= 0 && m.linesSure && (m.Vendor != phone.Grandstream || m.Family == "HT")
}

// NoModules reports whether the table is sure that the model takes no expansion
// modules: it knows the model's keys and names none.
func (m Model) NoModules() bool { return m.Expansion == "" && m.LineKeys >= 0 && m.SureLines() }

// ModuleLimits reads Expansion: how many modules the model takes and how many keys
// each has; 0 for what it does not say.
func (m Model) ModuleLimits() (modules, keys int) {
	for word := range strings.FieldsSeq(m.Expansion) {
		word = strings.Trim(word, "(),;")
		if n, ok := strings.CutPrefix(word, "x"); ok && modules == 0 {
			modules, _ = strconv.Atoi(n)
		}
	}
	if before, _, ok := strings.Cut(m.Expansion, " keys"); ok {
		i := strings.LastIndexFunc(before, func(r rune) bool { return r < '0' || r > '9' })
		keys, _ = strconv.Atoi(before[i+1:])
	}
	return modules, keys
}

// ModelKey is the form in which two spellings of a model of vendor are the same:
// letters and digits in upper case, "VVX450", "SPIP650", "T46S".
func ModelKey(vendor, name string) string { return modelKey(CanonicalVendor(vendor), name) }
