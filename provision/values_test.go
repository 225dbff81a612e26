package provision

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/templates"
)

// valuesOf are all values that a setting of few can have; none of one with many.
func valuesOf(spec settings.Spec) []string {
	switch {
	case len(spec.Choices) > 0:
		return spec.Choices
	case spec.Type == settings.Bool:
		return []string{"0", "1"}
	case spec.Type == settings.Number && spec.Max-spec.Min < 10:
		var out []string
		for n := spec.Min; n <= spec.Max; n++ {
			out = append(out, strconv.Itoa(n))
		}
		return out
	}
	return nil
}

// sampleWith is a phone's settings with a value of spec, and none of it when the value
// is empty. A key without a type is no key, and a list keeps one item of its own.
func sampleWith(spec settings.Spec, value string) map[string]string {
	set := Sample(spec)
	name := strings.ReplaceAll(spec.Key, "#", "1")
	switch {
	case spec.Type == settings.List:
		set[name] = strings.Trim("pcmu,"+value, ",")
		if value == "pcmu" {
			set[name] = "pcma,pcmu"
		}
	case value != "":
		set[name] = value
	case strings.HasSuffix(name, ".type"):
		return map[string]string{}
	default:
		delete(set, name)
	}
	return set
}

// defaults are what phones are told without the setting too.
var defaults = map[string]string{"transport": "udp", "phonebook": "1"}

// silentValues renders a phone with every value of a setting: what it is told as
// another value, or not at all. Of a list, the items that are left out.
func silentValues(b *bench, v phone.Vendor, spec settings.Spec) map[string]string {
	seen := map[string]string{b.renderedWith(v, sampleWith(spec, "")): ""}
	out := map[string]string{}
	for _, value := range valuesOf(spec) {
		text := b.renderedWith(v, sampleWith(spec, value))
		if spec.Type == settings.List && value == "pcmu" {
			if text == b.renderedWith(v, map[string]string{spec.Key: "pcma"}) {
				out[value] = ""
			}
			continue
		}
		if like, ok := seen[text]; ok && defaults[spec.Key] != value {
			out[value] = like
			continue
		}
		seen[text] = value
	}
	return out
}

// TestGaps renders every value of every setting for every vendor: one that the files
// cannot say is in the table of templates, and nothing else is.
func TestGaps(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, v := range phone.Vendors() {
		for _, spec := range settings.Schema() {
			if !b.HasEffect(v, spec.Key) || spec.Key == SettingAddress || spec.Key == "group" {
				continue
			}
			want := map[string]string{}
			for _, g := range templates.Gaps(v, spec.Key) {
				want[g.Value] = g.Like
			}
			got := silentValues(b, v, spec)
			if v == phone.Grandstream && strings.HasSuffix(spec.Key, ".type") {
				for _, kind := range spec.Choices {
					_, silent := got[kind]
					if templates.HasKey(v, richest(v), strings.Count(spec.Key, "modules"), 1, kind) == silent {
						t.Errorf("%s %s: HasKey does not say what rendering says of %s", v, spec.Key, kind)
					}
				}
				continue
			}
			if like, ok := got["none"]; ok && v == phone.Polycom && like == "dtmf" {
				delete(got, "none") // the two are the same, and the phone can do the one
				got["dtmf"] = "none"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s (-templates +rendered):\n%s", v, spec.Key, diff)
			}
		}
	}
}

// What a value is rendered as where a sentence says so: the file is the same.
func TestUnsaidIsRendered(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, tt := range []struct {
		model, name, value, like string
	}{
		{"GXP2170", "provisioning.daily", "03:30", "03:00"},
		{"GXP2170", "expires", "90", "60"},
		{"GXP2170", "firmware.url", "ftp://h/f/x.bin", "http://h/f/x.bin"},
		{"GXP2170", "codecs", "pcmu,pcma,g722,g729,opus,ilbc,g726,g723", "pcmu,pcma,g722,g729,opus,ilbc,g726"},
		{"HT802", "label", "a", ""},
		{"HT802", "ring", "2", ""},
		{"HT802", "voicemail.number", "*97", ""},
	} {
		like := map[string]string{}
		if tt.like != "" {
			like[tt.name] = tt.like
		}
		with, without := b.renderedAs(phone.Grandstream, tt.model, map[string]string{tt.name: tt.value}), b.renderedAs(phone.Grandstream, tt.model, like)
		asked := templates.Asked{Vendor: phone.Grandstream, Model: tt.model, Key: tt.name, Value: tt.value}
		if said := templates.Unsaid(asked); with != without || len(said) != 1 {
			t.Errorf("%s %s=%s: %q; the files differ: %v", tt.model, tt.name, tt.value, said, with != without)
		}
		if asked.Value = tt.like; tt.like != "" && len(templates.Unsaid(asked)) != 0 {
			t.Errorf("%s %s=%s: %q", tt.model, tt.name, tt.like, templates.Unsaid(asked))
		}
	}
}

// Of two settings that a file cannot say together, it says the one of the table.
func TestOverruledIsRendered(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, v := range phone.Vendors() {
		both := map[string]string{"provisioning.interval": "120", "provisioning.daily": "03:00"}
		wins := func(by, setting string) bool {
			return b.renderedWith(v, both) == b.renderedWith(v, map[string]string{by: both[by]}) &&
				b.renderedWith(v, both) != b.renderedWith(v, map[string]string{setting: both[setting]})
		}
		want := [2]string{}
		for _, pair := range [][2]string{{"provisioning.interval", "provisioning.daily"}, {"provisioning.daily", "provisioning.interval"}} {
			if wins(pair[1], pair[0]) {
				want = pair
			}
		}
		setting, by := templates.Overruled(v)
		if got := [2]string{setting, by}; got != want {
			t.Errorf("%s: %v, rendering says %v", v, got, want)
		}
		warnings, err := b.CheckPhone(phone.Device{Vendor: v, Settings: both})
		if got := strings.Join(warnings, "|"); err != nil || strings.Contains(got, "alone") != (setting != "") {
			t.Errorf("%s: %v, %q", v, err, got)
		}
	}
}
