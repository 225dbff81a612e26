package firmware

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"pbx.dev/dialtone/internal/phone"
)

// foreign are the beginnings of files that are certainly no image, in the forms in
// which they are taken for one: the vendors' packages and what a portal answers
// instead of them. What the images themselves begin with is not known: phone-facts
// has no such bytes for any vendor, so nothing else is refused for its content.
var foreign = []struct {
	begins, what string
	archive      bool
}{
	{"PK\x03\x04", "a ZIP archive: unpack it and upload the image in it", true},
	{"PK\x05\x06", "an empty ZIP archive", true},
	{"\x1f\x8b", "a gzip archive: unpack it and upload the image in it", true},
	{"Rar!\x1a\x07", "a RAR archive: unpack it and upload the image in it", true},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it and upload the image in it", true},
	{"%PDF-", "a PDF document", false},
	{"\x89PNG\r\n", "a picture", false},
	{"\xff\xd8\xff", "a picture", false},
	{"<!doctype", "a web page", false},
	{"<html", "a web page", false},
	{"<?xml", "an XML document", false},
}

// archiveName reports whether phones ask for an archive under such a name.
func archiveName(name string) bool {
	ext := strings.ToLower(path.Ext(strings.TrimRight(name, " ")))
	return ext == ".zip" || ext == ".tar"
}

// checkContent refuses what is certainly no image of the vendor.
func checkContent(v phone.Vendor, name string, head []byte) error {
	low := bytes.ToLower(bytes.TrimLeft(head, "\ufeff \t\r\n"))
	for _, f := range foreign {
		if f.archive && archiveName(name) {
			continue
		}
		if bytes.HasPrefix(low, bytes.ToLower([]byte(f.begins))) || bytes.HasPrefix(head, []byte(f.begins)) {
			return phone.Invalid("file", "is "+f.what)
		}
	}
	for _, e := range endings() {
		if e.vendor != v && strings.HasSuffix(strings.ToLower(strings.TrimRight(name, " ")), e.ending) {
			return phone.Invalid("vendor", fmt.Sprintf("is %s, and %q is a name of %s's", v.DisplayName(), name, e.vendor.DisplayName()))
		}
	}
	return nil
}

// vendorEnding is an ending that the images of one vendor alone have
// (phone-facts/README.md 3).
type vendorEnding struct {
	ending string
	vendor phone.Vendor
}

func endings() []vendorEnding {
	return []vendorEnding{{".ld", phone.Polycom}, {"sip.ver", phone.Polycom}, {".rom", phone.Yealink}, {"fw.bin", phone.Grandstream}}
}

// VendorOfName is the vendor whose images have such names; empty when that is not
// known.
func VendorOfName(name string) phone.Vendor {
	for _, e := range endings() {
		if strings.HasSuffix(strings.ToLower(strings.TrimRight(name, " ")), e.ending) {
			return e.vendor
		}
	}
	return ""
}

// yealinkVersion finds the version in a Yealink's name:
// "T46U(T43U,T46U)-108.86.0.90.rom" (phone-facts/README.md 3.2).
var yealinkVersion = regexp.MustCompile(`(?i)(?:^|-)(\d+\.\d+\.\d+\.\d+)(?:\(\d+\))?\.rom *$`)

// VersionOfName is the version that a name carries; empty when it does not.
func VersionOfName(name string) string {
	if m := yealinkVersion.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// checkName lets through one plain file name, as vendors have them: with
// parentheses, commas and blanks.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > 200 || !utf8.ValidString(name):
		return phone.Invalid("name", "must have 1 to 200 bytes of UTF-8")
	case name[0] == '.' || strings.Contains(name, "..") || strings.ContainsAny(name, `/\:*?"<>|`):
		return phone.Invalid("name", "must be a plain file name")
	case !slices.Contains(served(), strings.ToLower(path.Ext(strings.TrimRight(name, " ")))):
		return phone.Invalid("name", "must end in one of "+strings.Join(served(), ", ")+": phones ask for no other")
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return phone.Invalid("name", "must not hold control characters")
		}
	}
	return nil
}

// served are the endings of the names that phones fetch firmware by, as package
// provision lets them through.
func served() []string {
	return []string{".ld", ".ver", ".rom", ".bin", ".img", ".zip", ".tar", ".wav", ".lang"}
}

// partNumber begins the names of Polycom images for one kind of hardware; phones
// put their own in front of the name in their file (phone-facts/README.md 3.1).
var partNumber = regexp.MustCompile(`^\d{4}-\d{5}-\d{3}\.`)

// FileOf is the file name that a phone's configuration gives for an image: a
// Polycom puts its part number in front itself.
func FileOf(i phone.FirmwareImage) string {
	if i.Vendor == phone.Polycom {
		return partNumber.ReplaceAllString(i.Name, "")
	}
	return i.Name
}
