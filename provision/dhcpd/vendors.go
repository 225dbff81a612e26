package dhcpd

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"pbx.dev/dialtone/internal/phone"
)

// phonesJSON is the table of phones; data/README.md explains it.
//
//go:embed data/phones.json
var phonesJSON []byte

// row is what one kind of phone is given. Adding a maker is adding a row.
type row struct {
	index  int            // in the table
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
	code   uint8
	form   form
	source string // in phone-facts/request_sequence.md unless said otherwise
}

// form is how the value of an option is written.
type form string

const (
	formURL        form = "url"        // the URL of the files, as row.url shapes it
	formBootfile   form = "bootfile"   // row.bootfile
	formTFTPAddrs  form = "tftp-addrs" // IPv4 address of the TFTP server
	formNTP        form = "ntp"        // IPv4 addresses
	formTimeOffset form = "offset"     // seconds east of UTC
	formSIP        form = "sip"        // RFC 3361
	formVLAN       form = "vlan"       // decimal digits
	formVLANDVD    form = "vlan-dvd"   // "VLAN-A=10;"
	formPriority   form = "priority"   // of the VLAN, one decimal digit
	formVendor1    form = "vendor-1"   // option 43: sub-option 1 is the URL
	formVendor2    form = "vendor-2"   // option 43: sub-option 2 is the URL
)

var forms = []form{
	formURL, formBootfile, formTFTPAddrs, formNTP, formTimeOffset, formSIP, formVLAN, formVLANDVD, formPriority, formVendor1, formVendor2,
}

// urlForm is the shape of the URL a maker's phones take.
type urlForm string

const (
	urlBare  urlForm = "bare"  // "http://host:port/dir": the phone adds "/" and the file
	urlSlash urlForm = "slash" // "http://host:port/dir/"
	urlHost  urlForm = "host"  // TFTP host alone, for phones that know no URLs
)

// rows is the table of phones.json, which is part of the program: a mistake in it
// is a panic that every test sees.
func rows() []row {
	list, err := readRows(phonesJSON)
	if err != nil {
		panic(err)
	}
	return list
}

// readRows reads the table.
func readRows(text []byte) ([]row, error) {
	var list []struct {
		Name, Class, Source, Bootfile string
		Vendor                        phone.Vendor
		URL                           urlForm
		Forced                        []int
		Options                       []struct {
			Code   uint8
			Form   form
			Source string
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("data/phones.json: %w", err)
	}
	out := make([]row, len(list))
	for i, l := range list {
		r := row{name: l.Name, vendor: l.Vendor, source: l.Source, url: l.URL, bootfile: l.Bootfile}
		if l.Class != "" {
			var err error
			if r.class, err = regexp.Compile(l.Class); err != nil {
				return nil, fmt.Errorf("data/phones.json: class of %s: %w", l.Name, err)
			}
		}
		for _, o := range l.Options {
			if !slices.Contains(forms, o.Form) {
				return nil, fmt.Errorf("data/phones.json: %s, option %d: no form %q", l.Name, o.Code, o.Form)
			}
			r.options = append(r.options, bootOption{code: o.Code, form: o.Form, source: o.Source})
		}
		for _, c := range l.Forced {
			r.forced = append(r.forced, uint8(c))
		}
		out[i] = r
	}
	return out, nil
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
