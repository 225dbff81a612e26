package provision

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

var (
	polyMAC = phone.MAC{0x00, 0x04, 0xf2, 0xab, 0xcd, 0xef}
	yeaMAC  = phone.MAC{0x80, 0x5e, 0xc0, 0xaa, 0xbb, 0xcc}
	gsMAC   = phone.MAC{0x00, 0x0b, 0x82, 0x12, 0x34, 0x56}
)

func TestParse(t *testing.T) {
	t.Parallel()
	own := func(v phone.Vendor, mac phone.MAC, k Kind, name string) Target {
		return Target{Vendor: v, MAC: mac, Kind: k, Name: name}
	}
	const blank = " " // one name in the wild ends with it
	for path, want := range map[string]Target{
		"/0004f2abcdef.cfg":                        own("", polyMAC, KindMAC, "0004f2abcdef.cfg"),
		"0004F2ABCDEF.CFG":                         own("", polyMAC, KindMAC, "0004f2abcdef.cfg"),
		"//0004f2abcdef.cfg":                       own("", polyMAC, KindMAC, "0004f2abcdef.cfg"),
		"/00-04-F2-AB-CD-EF.cfg":                   own("", polyMAC, KindMAC, "0004f2abcdef.cfg"),
		"/00:04:f2:ab:cd:ef.cfg":                   own("", polyMAC, KindMAC, "0004f2abcdef.cfg"),
		"/00%3A04%3af2%3Aab%3Acd%3Aef.cfg":         own("", polyMAC, KindMAC, "0004f2abcdef.cfg"),
		"/0004.f2ab.cdef.cfg":                      own("", polyMAC, KindMAC, "0004f2abcdef.cfg"),
		"/0004f2abcdef-dialtone.cfg":               own(phone.Polycom, polyMAC, KindPhone, "0004f2abcdef-dialtone.cfg"),
		"/0004f2abcdef-phone.cfg":                  own(phone.Polycom, polyMAC, KindOverride, "0004f2abcdef-phone.cfg"),
		"/00-04-F2-AB-CD-EF-WEB.cfg":               own(phone.Polycom, polyMAC, KindOverride, "0004f2abcdef-web.cfg"),
		"/0004f2abcdef-license.cfg":                own(phone.Polycom, polyMAC, KindLicense, "0004f2abcdef-license.cfg"),
		"/0004f2abcdef-calls.xml":                  own(phone.Polycom, polyMAC, KindCalls, "0004f2abcdef-calls.xml"),
		"/0004f2abcdef-directory.xml":              own(phone.Polycom, polyMAC, KindDirectory, "0004f2abcdef-directory.xml"),
		"/0004f2abcdef-app.log":                    own(phone.Polycom, polyMAC, KindLog, "0004f2abcdef-app.log"),
		"/0004f2abcdef-boot.log":                   own(phone.Polycom, polyMAC, KindLog, "0004f2abcdef-boot.log"),
		"/000000000000.cfg":                        {Vendor: phone.Polycom, Kind: KindMaster, Name: "000000000000.cfg"},
		"/000000000000-directory.xml":              {Vendor: phone.Polycom, Kind: KindDirectory, Name: "000000000000-directory.xml"},
		"/000000000000-license.cfg":                {Vendor: phone.Polycom, Kind: KindLicense, Name: "000000000000-license.cfg"},
		"/dialtone-common.cfg":                     {Vendor: phone.Polycom, Kind: KindCommon, Name: "dialtone-common.cfg"},
		"/805ec0aabbcc.boot":                       own(phone.Yealink, yeaMAC, KindBoot, "805ec0aabbcc.boot"),
		"/805EC0AABBCC.cfg":                        own("", yeaMAC, KindMAC, "805ec0aabbcc.cfg"),
		"/805ec0aabbcc-local.cfg":                  own(phone.Yealink, yeaMAC, KindOverride, "805ec0aabbcc-local.cfg"),
		"/805ec0aabbcc-contact.xml":                own(phone.Yealink, yeaMAC, KindDirectory, "805ec0aabbcc-contact.xml"),
		"/y000000000000.boot":                      {Vendor: phone.Yealink, Kind: KindBoot, Name: "y000000000000.boot"},
		"/Y000000000066.CFG":                       {Vendor: phone.Yealink, Kind: KindCommon, Name: "y000000000066.cfg"},
		"/y000000000108.cfg":                       {Vendor: phone.Yealink, Kind: KindCommon, Name: "y000000000108.cfg"},
		"/cfg000b82123456":                         own(phone.Grandstream, gsMAC, KindBinary, "cfg000b82123456"),
		"/cfg000b82123456.bin":                     own(phone.Grandstream, gsMAC, KindBinary, "cfg000b82123456"),
		"/CFG000B82123456.XML":                     own(phone.Grandstream, gsMAC, KindPhone, "cfg000b82123456.xml"),
		"/cfg00:0b:82:12:34:56.xml":                own(phone.Grandstream, gsMAC, KindPhone, "cfg000b82123456.xml"),
		"/cfggrp2614.xml":                          {Vendor: phone.Grandstream, Kind: KindCommon, Model: "grp2614", Name: "cfggrp2614.xml"},
		"/cfg.xml":                                 {Vendor: phone.Grandstream, Kind: KindCommon, Name: "cfg.xml"},
		"/phonebook.xml":                           {Vendor: phone.Grandstream, Kind: KindBook, Name: "phonebook.xml"},
		"/805EC0AABBCC/PhoneBook.xml":              {MAC: yeaMAC, Kind: KindBook, Page: 1, Name: "805ec0aabbcc/phonebook.xml"},
		"/80-5e-c0-aa-bb-cc/phonebook-3.xml":       {MAC: yeaMAC, Kind: KindBook, Page: 3, Name: "805ec0aabbcc/phonebook-3.xml"},
		"/p/abc/805ec0aabbcc/gs_phonebook.xml":     {MAC: yeaMAC, Kind: KindBook, Page: 1, Name: "805ec0aabbcc/gs_phonebook.xml", Token: "abc"},
		"/p/s3cr_t-X/0004f2abcdef.cfg":             {MAC: polyMAC, Kind: KindMAC, Name: "0004f2abcdef.cfg", Token: "s3cr_t-X"},
		"//P//tok//cfg.xml":                        {Vendor: phone.Grandstream, Kind: KindCommon, Name: "cfg.xml", Token: "tok"},
		"/sip.ld":                                  {Kind: KindFirmware, Name: "sip.ld"},
		"/3111-44500-001.sip.ld":                   {Kind: KindFirmware, Name: "3111-44500-001.sip.ld"},
		"/T46U(T43U,T46U)-108.86.0.90.rom" + blank: {Kind: KindFirmware, Name: "T46U(T43U,T46U)-108.86.0.90.rom" + blank},
		"/gxp1600fw.bin":                           {Kind: KindFirmware, Name: "gxp1600fw.bin"},
		"/66.86.0.15.rom":                          {Kind: KindFirmware, Name: "66.86.0.15.rom"},
	} {
		got, ok := Parse(path)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("Parse(%q) = %t (-want +got):\n%s", path, ok, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"", "/", "..", "/../../etc/passwd", "../../etc/passwd", `..\..\boot.ini`, "/x/../0004f2abcdef.cfg", "/etc/passwd",
		"/..sip.ld", "/a..b.ld", "/.ld", "/a/sip.ld", "/sip.ld/x", "/0004f2abcdef", "/0004f2abcde.cfg", "/0004f2abcdef0.cfg",
		"/0004f2abcdef-dialtone.cfg/..", "/0004f2abcdef-other.cfg", "/-0004f2abcdef.cfg", "/y00000000000.cfg", "/y0000000000001.cfg",
		"/y000000000066.boot", "/y805ec0aabbcc.cfg", "/y001000000066.cfg", "/000000000000.boot", "/000000000000-dialtone.cfg",
		"/cfg000000000000.xml", "/cfg000000000000", "/cfg0001.xml", "/cfggrp2614", "/p/tok", "/p//0004f2abcdef.cfg/x",
		"/p/to ken/0004f2abcdef.cfg", "/p/../0004f2abcdef.cfg", "/q/tok/0004f2abcdef.cfg", "/p/" + strings.Repeat("a", 129) + "/cfg.xml",
		"/0004f2abcdef.cfg\x00", "/0004f2abcdef.cfg\n", "/\xff.ld", "/" + strings.Repeat("a", 300) + ".ld", "/00%3B04f2abcdef.cfg",
		"/SEP0004f2abcdef.cnf.xml", "/index.html", "/favicon.ico",
	} {
		if got, ok := Parse(path); ok {
			t.Errorf("Parse(%q) = %+v, want nothing", path, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	seeds, err := os.ReadFile("testdata/paths.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(seeds)) {
		f.Add(strings.TrimSuffix(line, "\n"))
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, ok := Parse(path)
		if !ok {
			return
		}
		if got.Name == "" || strings.ContainsAny(got.Name, "/\\\x00") || strings.Contains(got.Name, "..") {
			t.Fatalf("Parse(%q) names %q", path, got.Name)
		}
		if got.MAC.IsZero() && strings.HasPrefix(got.Name, zeros) && got.Vendor != phone.Polycom && got.Kind != KindFirmware {
			t.Fatalf("Parse(%q) = %+v", path, got)
		}
		// The name is the usual spelling: it means the same, whatever the case.
		want := got
		want.Token = ""
		for _, again := range []string{got.Name, "//" + got.Name} {
			if back, ok := Parse(again); !ok || back != want {
				t.Fatalf("Parse(%q) = %+v, but Parse(%q) = %+v", path, got, again, back)
			}
		}
		if up, ok := Parse(strings.ToUpper(got.Name)); got.Kind != KindFirmware && (!ok || up != want) {
			t.Fatalf("Parse(%q) = %+v in capitals", got.Name, up)
		}
	})
}
