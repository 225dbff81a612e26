package provision

import (
	"slices"

	"pbx.dev/dialtone/internal/phone"
)

// Kind says what a phone wants with a file name.
type Kind string

// The kinds of files. Which of them dialtone renders, dialects says; the others
// are names that phones ask for and go without (phone-facts/request_sequence.md).
const (
	KindMAC       Kind = "mac"       // <mac>.cfg: Polycom's master or Yealink's file; the device decides
	KindMaster    Kind = "master"    // 000000000000.cfg
	KindPhone     Kind = "phone"     // <mac>-dialtone.cfg, cfg<mac>.xml
	KindBinary    Kind = "binary"    // cfg<mac>, cfg<mac>.bin: the same for old Grandstream phones
	KindBoot      Kind = "boot"      // <mac>.boot, y000000000000.boot
	KindCommon    Kind = "common"    // y0000000000NN.cfg, cfg.xml, cfg<model>.xml, dialtone-common.cfg
	KindOverride  Kind = "override"  // -phone.cfg, -web.cfg, -local.cfg: what the user changed at the phone
	KindLicense   Kind = "license"   // -license.cfg
	KindCalls     Kind = "calls"     // -calls.xml, -calllog.xml
	KindDirectory Kind = "directory" // -directory.xml, -contact.xml: Polycom's is rendered, a Yealink's is its own backup
	KindBook      Kind = "book"      // phonebook.xml, <mac>/phonebook.xml: what phones download and never store here
	KindLog       Kind = "log"       // -app.log, -boot.log
	KindFirmware  Kind = "firmware"  // any other name that firmware can have
)

// role is one file of a dialect that is rendered.
type role struct {
	kind     Kind
	own      bool   // belongs to one phone: needs its MAC, and the assurance that secrets need
	template string // in templates.Set
	media    string // content type (phone-facts/README.md 5.3)
	binary   bool   // sent in the legacy format of Grandstream
	page     int    // of a phone book
	accounts bool   // holds the accounts: a phone that has it has its configuration
}

// isBook reports whether the file is a phone book.
func (r role) isBook() bool { return r.kind == KindDirectory || r.kind == KindBook }

const (
	mediaText   = "text/plain"
	mediaXML    = "text/xml"
	mediaBinary = "application/octet-stream"
)

// roles is the table of rendered files by vendor, a phone's own in the order in
// which it asks for them.
func roles(v phone.Vendor) []role {
	switch v {
	case phone.Polycom:
		return []role{
			{kind: KindMAC, own: true, template: "polycom/master", media: mediaXML},
			{kind: KindPhone, own: true, accounts: true, template: "polycom/phone", media: mediaXML},
			{kind: KindDirectory, own: true, template: "polycom/directory", media: mediaXML},
			{kind: KindMaster, template: "polycom/master-common", media: mediaXML},
			{kind: KindCommon, template: "polycom/common", media: mediaXML},
		}
	case phone.Yealink:
		return []role{
			{kind: KindBoot, own: true, template: "yealink/boot", media: mediaText},
			{kind: KindMAC, own: true, accounts: true, template: "yealink/phone", media: mediaText},
			{kind: KindBook, own: true, template: "yealink/phonebook", media: mediaXML},
			{kind: KindBoot, template: "yealink/boot-common", media: mediaText},
			{kind: KindCommon, template: "yealink/common", media: mediaText},
		}
	case phone.Grandstream:
		return []role{
			{kind: KindBinary, own: true, accounts: true, template: "grandstream/phone", media: mediaBinary, binary: true},
			{kind: KindPhone, own: true, accounts: true, template: "grandstream/phone", media: mediaXML},
			{kind: KindBook, own: true, template: "grandstream/phonebook", media: mediaXML},
			{kind: KindCommon, template: "grandstream/common", media: mediaXML},
		}
	}
	return nil
}

// roleOf finds the rendered file that a target means on a phone of the vendor.
func roleOf(v phone.Vendor, t Target) (role, bool) {
	if t.Vendor != "" && t.Vendor != v {
		return role{}, false
	}
	all := roles(v)
	i := slices.IndexFunc(all, func(r role) bool { return r.kind == t.Kind && r.own == !t.MAC.IsZero() })
	if i < 0 {
		return role{}, false
	}
	r := all[i]
	r.page = t.Page
	return r, r.page <= 1 || v == phone.Yealink
}

// Names lists the files that d fetches from this server, in the order in which it
// asks for them. A vendor whose files are not rendered has none.
func Names(d phone.Device) []string {
	mac := d.MAC.Hex()
	switch d.Vendor {
	case phone.Polycom:
		return []string{mac + ".cfg", mac + suffixDialtone}
	case phone.Yealink:
		return []string{mac + ".boot", "y000000000000.cfg", mac + ".cfg"}
	case phone.Grandstream:
		return []string{"cfg" + mac + ".xml"}
	}
	return nil
}
