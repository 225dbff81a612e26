package provision

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
)

var update = flag.Bool("update", false, "rewrite the golden files and the generated tables")

// Every setting of the schema has a place in the view.
func TestEverySettingIsTakenOver(t *testing.T) {
	t.Parallel()
	places := 0
	for _, spec := range settings.Schema() {
		_, ofPhone := phoneSetters[spec.Key]
		_, ofLine := lineSetters[spec.Key]
		var a account
		a.set(spec.Key, spec.Example)
		switch {
		case strings.Contains(spec.Key, "#"):
		case spec.PerLine != (ofLine || a != account{}) || spec.PerLine == ofPhone:
			t.Errorf("%s: of a phone %t, of a line %t, where to register %t", spec.Key, ofPhone, ofLine, a != account{})
		default:
			places++
		}
	}
	if most := len(phoneSetters) + len(lineSetters) + 5; places != most {
		t.Errorf("%d settings of %d places", places, most)
	}
}

func TestLayersOfAPhone(t *testing.T) {
	t.Parallel()
	layer := func(scope, name string, set ...string) phone.Layer {
		l := phone.Layer{Scope: scope, Name: name, Settings: map[string]string{}}
		for i := 0; i < len(set); i += 2 {
			l.Settings[set[i]] = set[i+1]
		}
		return l
	}
	stack := settings.NewStack(1, []phone.Layer{
		layer("global", "", "ntp", "global", "codecs", "pcma,pcmu", "keys.1.type", "blf", "keys.1.value", "1", "keys.9.value", "9", "vlan.id", "5", "srtp", "optional"),
		layer("site", "Berlin", "ntp", "site", "timezone", "Europe/Berlin", "label", "of the site"),
		layer("vendor", "yealink", "codecs+", "g722", "account.1.codec.g723.enable", "1"),
		layer("model", "T21P_E2", "ntp", "model", "vlan.id-", ""),
		layer("group", "sales", "ntp", "group", "keys-", "", "keys.2.value", "2"),
		layer("site", "Paris", "ntp", "paris"), layer("group", "other", "ntp", "other"),
	})
	b := newBench(t, func(o *Options) { o.Layers = func() *settings.Stack { return stack } })
	d := device(phone.Yealink, yeaMAC)
	d.Model, d.Site = "SIP-T21P E2", "Berlin"
	d.Settings = map[string]string{"group": "sales", "ntp": "phone", "lines.1.srtp": "required"}
	b.shelf.devices[yeaMAC] = d
	v, err := b.view(d, b.facts)
	if err != nil {
		t.Fatal(err)
	}
	var codecs []string
	for _, c := range v.Lines[0].Codecs {
		codecs = append(codecs, fmt.Sprint(c.Name, c.Priority))
	}
	if got := strings.Join(codecs[:4], " "); got != "pcma1 pcmu2 g7223 g7290" {
		t.Errorf("codecs are %s", got)
	}
	if v.NTP != "phone" || v.TimeZone.Name != "Europe/Berlin" || v.VLAN.ID != "" || v.Lines[0].SRTP != "required" || v.Lines[0].Label != "of the site" ||
		len(v.Keys) != 1 || v.Keys[0].Value != "2" || v.Raw["account.1.codec.g723.enable"] != "1" {
		t.Errorf("view is %+v", v)
	}
	from := map[string]string{}
	for name, value := range stack.Effective(d, modelCode(d), b.Base()) {
		from[name] = value.Layer
	}
	for name, want := range map[string]string{
		"ntp": "phone", "timezone": "site/Berlin", "codecs": "vendor/yealink", "keys.2.value": "group/sales", "lines.1.srtp": "line",
		"srtp": "global", "vlan.id": "", "keys.1.value": "", "transport": "server", "label": "site/Berlin", "group": "phone",
	} {
		if from[name] != want {
			t.Errorf("%s comes from %q, want %q", name, from[name], want)
		}
	}
}

// A change of a layer is another file, and what everybody may read has no secret.
func TestLayersReachTheFiles(t *testing.T) {
	t.Parallel()
	stack := settings.NewStack(1, nil)
	b := newBench(t, func(o *Options) { o.Layers = func() *settings.Stack { return stack } })
	before, _, _ := b.fetch("/805ec0aabbcc.cfg")
	stack = settings.NewStack(2, []phone.Layer{
		{Scope: "global", Settings: map[string]string{"ntp": "layer.ntp", "adminPassword": "layer-secret", "account.1.password": "raw-secret", "P34": "raw-secret", "reg.1.auth.password": "raw-secret"}},
		{Scope: "model", Name: "T46S", Settings: map[string]string{"ntp": "t46.ntp"}},
		{Scope: "model", Name: "GXP2170", Settings: map[string]string{"ntp": "gxp.ntp"}},
	})
	after, _, err := b.fetch("/805ec0aabbcc.cfg")
	if err != nil || before == after || !strings.Contains(after, "local_time.ntp_server1 = layer.ntp") || !strings.Contains(after, "admin:layer-secret") {
		t.Errorf("%v\n%s", err, after)
	}
	for path, ntp := range map[string]string{
		"/000000000000.cfg": "", "/dialtone-common.cfg": "layer.ntp", "/y000000000000.cfg": "layer.ntp", "/y000000000065.cfg": "layer.ntp",
		"/y000000000066.cfg": "t46.ntp", "/cfg.xml": "layer.ntp", "/cfggxp2170.xml": "gxp.ntp", "/cfggxp2135.xml": "layer.ntp",
	} {
		text, _, err := b.fetch(path)
		if err != nil || !strings.Contains(text, ntp) || strings.Contains(text, "-secret") {
			t.Errorf("%s: %v\n%s", path, err, text)
		}
	}
}

func TestKeysOfModels(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, tt := range []struct {
		vendor        phone.Vendor
		model, name   string
		want, warning string
	}{
		{phone.Yealink, "T21P_E2", "keys.2.type", "", ""},
		{phone.Yealink, "T21P_E2", "keys.5.type", "the T21P_E2 has 2 keys", ""},
		{phone.Yealink, "SIP-T19P E2", "keys.2.type", "the T19P_E2 has 1 key", ""},
		{phone.Polycom, "VVX 201", "keys.5.type", "the VVX 201 has 2 keys", ""},
		{phone.Yealink, "T46S", "keys.27.type", "", ""},
		{phone.Yealink, "T46S", "keys.28.type", "the T46S has 27 keys", ""},
		{phone.Yealink, "T46S", "modules.7.keys.1.type", "the T46S takes 6 expansion modules", ""},
		{phone.Yealink, "T46S", "modules.6.keys.41.type", "an expansion module of the T46S has 40 keys", ""},
		{phone.Yealink, "T99X", "keys.99.type", "", "model: T99X is not in the catalogue; it gets what all phones of Yealink get"},
		{phone.Grandstream, "GXP2170", "keys.13.type", "the GXP2170 has 12 keys", ""},
	} {
		d := phone.Device{Vendor: tt.vendor, Model: tt.model, Settings: map[string]string{tt.name: "blf"}}
		warnings, err := b.CheckPhone(d)
		var field *phone.FieldError
		if (err == nil) != (tt.want == "") || err != nil && (!errors.As(err, &field) || field.Field != "settings."+tt.name || field.Reason != tt.want) {
			t.Errorf("%s %s: %v, want %q", tt.model, tt.name, err, tt.want)
		}
		if got := strings.Join(warnings, "|"); got != tt.warning {
			t.Errorf("%s %s: warnings %q", tt.model, tt.name, got)
		}
	}
	seventh := phone.Device{Vendor: phone.Grandstream, Lines: []phone.Line{{Number: 7, Extension: "1"}}}
	var field *phone.FieldError
	if _, err := b.CheckPhone(seventh); !errors.As(err, &field) || field.Field != "lines[0].line" {
		t.Errorf("a seventh line: %v", err)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	d := phone.Device{Vendor: phone.Yealink, Model: "T46S", Settings: map[string]string{
		"account.1.codec.g722.enable": "1", "account.1.codex.g722.enable": "1", "volume.keep": "on", "volume.ring": "3",
	}}
	warnings, err := b.CheckPhone(d)
	want := []string{
		"settings.volume.keep: phones of Yealink have no parameter for it",
		"settings.account.1.codex.g722.enable: no list of the vendor's parameters has this name; it goes into the file as it is",
	}
	if diff := cmp.Diff(want, warnings); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, tt := range []struct {
		scope, name string
		set         map[string]string
		field, warn string
	}{
		{"global", "", map[string]string{"ntp": "a b"}, "settings.ntp", ""},
		{"global", "", map[string]string{"P30": "x", "voice.ring_vol": "1", "no.such": "1"}, "", "settings.no.such: no list"},
		{"vendor", "yealink", map[string]string{"P30": "x"}, "settings.P30", ""},
		{"model", "VVX450", map[string]string{"keys.13.value": "1"}, "settings.keys.13.value", ""},
		{"model", "X1", map[string]string{"ntp": "x"}, "", "model: X1 is not in the catalogue"},
		{"group", "g", map[string]string{"group": "h"}, "settings.group", ""},
		{"site", "s", map[string]string{"timezone": "Paris"}, "settings.timezone", ""},
		{"site", "s", map[string]string{"ntp-": "", "codecs+": "g722"}, "", ""},
		{"site", "s", map[string]string{"ntp-": "x"}, "settings.ntp-", ""},
		{"site", "s", map[string]string{"ntp+": "x"}, "settings.ntp+", ""},
		{"site", "s", map[string]string{"codecs+": "g999"}, "settings.codecs+", ""},
	} {
		warnings, err := b.CheckLayer(tt.scope, tt.name, tt.set)
		var field *phone.FieldError
		if (err == nil) != (tt.field == "") || err != nil && (!errors.As(err, &field) || field.Field != tt.field) {
			t.Errorf("%s %v: %v", tt.scope, tt.set, err)
		}
		if got := strings.Join(warnings, "|"); !strings.HasPrefix(got, tt.warn) || tt.warn == "" && got != "" {
			t.Errorf("%s %v: warnings %q", tt.scope, tt.set, got)
		}
	}
}

// families are one model of each family whose files differ in form or in names.
func families() map[phone.Vendor][]string {
	return map[phone.Vendor][]string{
		phone.Polycom:     {"SoundPoint IP 650", "VVX 450", "Edge E450", "CCX600", "Trio 8800"},
		phone.Yealink:     {"T21P_E2", "T33G", "T46S", "T54W", "CP920", "W70B"},
		phone.Grandstream: {"GXP2000", "GXP1630", "GXP2170", "GRP2614", "GXV3350", "DP752", "HT802"},
	}
}

// TestGoldenFamilies renders every file of a phone of each family with every setting
// of the schema that the family can have.
func TestGoldenFamilies(t *testing.T) {
	t.Parallel()
	for v, models := range families() {
		for _, model := range models {
			b := newBench(t, func(o *Options) { o.Directory = people(2).page })
			mac := map[phone.Vendor]phone.MAC{phone.Polycom: polyMAC, phone.Yealink: yeaMAC, phone.Grandstream: gsMAC}[v]
			d := device(v, mac)
			d.Model, d.Settings = model, map[string]string{}
			m, ok := catalog.Lookup(string(v), model)
			if !ok {
				t.Errorf("no model %s", model)
			}
			for _, spec := range settings.Schema() {
				for name, text := range Sample(spec) {
					ref, _ := settings.Lookup(name)
					if spec.Key != "provisioning.interval" && checkKey(m, ref) == nil {
						d.Settings[name] = text
					}
				}
			}
			if _, err := b.CheckPhone(d); err != nil {
				t.Errorf("%s: %v", model, err)
			}
			b.shelf.devices[mac] = d
			delete(d.Settings, "phonebook") // off by its example
			for _, file := range Names(d) {
				text, _, err := b.fetch("/" + file)
				if err != nil {
					t.Errorf("%s, %s: %v", model, file, err)
				}
				golden(t, filepath.Join(string(v), m.Code, file), text)
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// Every model of the catalogue gets files that render.
func TestEveryModelRenders(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	n := 0
	for _, v := range phone.Vendors() {
		for _, m := range catalog.Models(v) {
			d := device(v, phone.MAC{2, 0, 0, 0, byte(n >> 8), byte(n)})
			d.Model = m.Name
			d.Settings = map[string]string{"keys.1.value": "101", "modules.1.keys.1.value": "102", "codecs": "opus,pcma"}
			if view, err := b.view(d, b.facts); err != nil || len(view.Keys) > max(m.Keys(), 1) {
				t.Errorf("%s: %v, %d keys", m.Name, err, len(view.Keys))
			}
			n++
		}
	}
	if n < 200 {
		t.Errorf("only %d models", n)
	}
	if !slices.Contains(Names(device(phone.Yealink, yeaMAC)), "805ec0aabbcc.cfg") {
		t.Error("no file of the phone itself")
	}
}
