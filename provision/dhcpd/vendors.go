package dhcpd

import (
	"regexp"
	"slices"

	"pbx.dev/dialtone/internal/phone"
)

// row is what one kind of phone is given. Adding a maker is adding a row.
type row struct {
	name   string         // label of metrics
	vendor phone.Vendor   // whose OUIs lead here; empty: none
	class  *regexp.Regexp // option 60 as text; nil: never by class
	source string         // of class

	url      urlForm
	bootfile string // option 67 and the file field; {mac} is 12 hex digits
	// options are sent when asked for, most important first. Empty: a phone that
	// dialtone does not provision; it gets an address in lease mode and nothing else.
	options []bootOption
	// forced are sent when the phone sends no parameter request list at all.
	forced []uint8
}

// bootOption is the form in which a phone takes one option.
type bootOption struct {
	code       uint8
	form       form
	source     string // in phone-facts/request_sequence.md unless said otherwise
	unverified bool
}

// form is how the value of an option is written.
type form int

const (
	formURL        form = iota // the URL of the files, as row.url shapes it
	formBootfile               // row.bootfile
	formTFTPAddrs              // IPv4 address of the TFTP server
	formNTP                    // IPv4 addresses
	formTimeOffset             // seconds east of UTC
	formSIP                    // RFC 3361
	formVLAN                   // decimal digits
	formVLANDVD                // "VLAN-A=10;"
	formVendor1                // option 43: sub-option 1 is the URL
	formVendor2                // option 43: sub-option 2 is the URL
)

// urlForm is the shape of the URL a maker's phones take.
type urlForm int

const (
	urlBare  urlForm = iota // "http://host:port/dir": the phone adds "/" and the file
	urlSlash                // "http://host:port/dir/"
	urlHost                 // TFTP host alone, for phones that know no URLs
)

// rows is the table, first match wins.
func rows() []row {
	return []row{
		polycomRow(), grandstreamLegacyRow(), grandstreamRow(), yealinkRow(), genericRow(),
		{
			name: "other",
			class: regexp.MustCompile(`(?i)^(snom|aastraipphone|ipphone\.mitel\.com|digium_|panasonic$|shoretel ip phone|` +
				`cisco spa|linksys spa|poly-vvx-d)|-3pcc$`),
			source: "4 [V WZ dhcpd]; Poly-VVX-D230 is of the OBi line, 1.1 [V RECOG]",
		},
		// Everybody else, where phones_only is off: an address and nothing more.
		{name: "none"},
	}
}

func polycomRow() row {
	return row{
		name: "polycom", vendor: phone.Polycom,
		class:  regexp.MustCompile(`(?i)^polycom-`), // the binary form is parsePolycom's
		source: "1.1 [V RECOG, PLY]",
		url:    urlBare, // a bare host would be tried with FTP first (1.1 [U])
		// Which file a Polycom makes of option 67 is not documented.
		bootfile: "{mac}.cfg",
		options: []bootOption{
			{code: 66, form: formURL, source: "1.1 [V PLY]"},
			{code: 160, form: formURL, source: "1.1, default custom option [U]", unverified: true},
			{code: 42, form: formNTP, source: "1.1 [V PLY]"},
			{code: 2, form: formTimeOffset, source: "1.1 [V PLY]"},
			{code: 128, form: formVLANDVD, source: "1.1 [V PLY]"},
			{code: 144, form: formVLANDVD, source: "1.1 [V PLY]"},
			{code: 157, form: formVLANDVD, source: "1.1 [V PLY]"},
			{code: 191, form: formVLANDVD, source: "1.1 [V PLY]"},
			{code: 67, form: formBootfile, source: "not in the sources", unverified: true},
			{code: 120, form: formSIP, source: "not in the sources", unverified: true},
			{code: 150, form: formTFTPAddrs, source: "not in the sources", unverified: true},
		},
		forced: []uint8{66, 160},
	}
}

func yealinkRow() row {
	return row{
		name: "yealink", vendor: phone.Yealink,
		class:    regexp.MustCompile(`(?i)^yealink`),
		source:   "2.1 [V RECOG, FPBX param]",
		url:      urlSlash, // 2.1 [V YEA]: .../path/
		bootfile: "{mac}.boot",
		options: []bootOption{
			{code: 66, form: formURL, source: "2.1 [V YEA]"},
			{code: 160, form: formURL, source: "custom option of list_user_options, 2.1 [V YEA]"},
			{code: 43, form: formVendor1, source: "that it is read: 2.1 [V YEA]; sub-option 1 [U]", unverified: true},
			{code: 42, form: formNTP, source: "2.1 [V YEA]"},
			{code: 2, form: formTimeOffset, source: "2.1 [V YEA]"},
			{code: 132, form: formVLAN, source: "that it is asked: 2.1; digits [U]", unverified: true},
			{code: 67, form: formBootfile, source: "not in the sources", unverified: true},
			{code: 120, form: formSIP, source: "not in the sources", unverified: true},
			{code: 150, form: formTFTPAddrs, source: "not in the sources", unverified: true},
		},
		forced: []uint8{66},
	}
}

func grandstreamRow() row {
	return row{
		name: "grandstream", vendor: phone.Grandstream,
		// "dslforum.org" alone is any TR-069 device, so a family must stand before it.
		class: regexp.MustCompile(`(?i)^grandstream\b|` +
			`^(ht|bt|gxp|grp|gxv|gxw|ghp|gac|gvc|gds|dp|wp)[0-9x][\w.-]*( .*)? dslforum\.org|^avaya e1\w+ dslforum\.org`),
		source:   "0: HT8XX [V1], Avaya E129 [V RECOG], Grandstream <MODEL> [U]",
		url:      urlBare,
		bootfile: "cfg{mac}.xml",
		options: []bootOption{
			{code: 66, form: formURL, source: "3.1 [V GSD]"},
			{code: 160, form: formURL, source: "3.1, newer firmware [V templates]"},
			{code: 43, form: formVendor2, source: "3.1: 2 = config server [U]", unverified: true},
			{code: 150, form: formTFTPAddrs, source: "that it is read: 3.1 P8337 [V templates]; addresses [U]", unverified: true},
			{code: 42, form: formNTP, source: "3.1 P144 [V]"},
			{code: 2, form: formTimeOffset, source: "3.1 P143 [V]"},
			{code: 120, form: formSIP, source: "3.1 P1411 [V]"},
			{code: 132, form: formVLAN, source: "digits [U]", unverified: true},
			{code: 67, form: formBootfile, source: "not in the sources", unverified: true},
		},
		forced: []uint8{66},
	}
}

// grandstreamLegacyRow is for models that take a host only and speak TFTP
// (3.1 [V GSD]); how they spell option 60 is unverified, so most come by OUI
// into grandstreamRow.
func grandstreamLegacyRow() row {
	r := grandstreamRow()
	r.name, r.vendor, r.url = "grandstream-legacy", "", urlHost
	const models = `(bt[ -]?[12]\d\d|gxp[ -]?2000|ht[ -]?(286|49\d))\b`
	r.class = regexp.MustCompile(`(?i)^grandstream ` + models + `|^` + models + `.* dslforum\.org`)
	r.source = "models: 3.1 [V GSD]; form of option 60 [U]"
	r.options = slices.DeleteFunc(r.options, func(o bootOption) bool { return o.code == 160 || o.code == 43 })
	return r
}

// genericRow is for clients of which only the options they ask for are known.
func genericRow() row {
	return row{
		name: "generic", source: "option 55", url: urlSlash,
		options: []bootOption{
			{code: 66, form: formURL, source: "RFC 2132, as a URL", unverified: true},
			{code: 160, form: formURL, source: "by custom", unverified: true},
			{code: 150, form: formTFTPAddrs, source: "RFC 5859"},
			{code: 42, form: formNTP, source: "RFC 2132"},
			{code: 2, form: formTimeOffset, source: "RFC 2132"},
			{code: 120, form: formSIP, source: "RFC 3361"},
		},
	}
}

func (e *engine) rowNamed(name string) *row {
	i := slices.IndexFunc(e.rows, func(r row) bool { return r.name == name })
	return &e.rows[i]
}

// rowOf is the row of a vendor known by OUI; "other" for makers whose files
// dialtone does not render.
func (e *engine) rowOf(v phone.Vendor) *row {
	i := slices.IndexFunc(e.rows, func(r row) bool { return v != "" && r.vendor == v })
	if i < 0 {
		return e.rowNamed("other")
	}
	return &e.rows[i]
}
