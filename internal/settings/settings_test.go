package settings

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pbx.dev/dialtone/internal/phone"
)

// Every setting has a name that is found, an example that is valid, and a text.
func TestSchema(t *testing.T) {
	t.Parallel()
	for _, s := range Schema() {
		name := strings.ReplaceAll(s.Key, "#", "3")
		r, ok := Lookup(name)
		if !ok || r.Spec.Key != s.Key {
			t.Errorf("%s is not found", name)
			continue
		}
		if got := r.Name(); got != name && got != "lines.1."+name {
			t.Errorf("%s is written as %s", name, got)
		}
		if _, err := s.Parse(s.Example); err != nil || s.Doc == "" || s.Example == "" {
			t.Errorf("%s: example %q, %v; doc %q", s.Key, s.Example, err, s.Doc)
		}
		if _, ok := Lookup("lines.2." + s.Key); ok != s.PerLine {
			t.Errorf("lines.2.%s: %t", s.Key, ok)
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Ref{
		"ntp": {}, "label": {Line: 1}, "lines.2.label": {Line: 2}, "srtp": {}, "lines.12.forward.busy": {Line: 12},
		"keys.7.type": {Key: 7}, "modules.2.keys.40.label": {Module: 2, Key: 40},
	} {
		r, ok := Lookup(name)
		r.Spec = nil
		if !ok || r != want {
			t.Errorf("%s is %+v, %t", name, r, ok)
		}
	}
	for _, name := range []string{
		"", "nope", "lines.0.label", "lines.01.label", "lines.2.ntp", "lines.999.label", "lines.-1.label", "lines.2", "keys.#.type", "keys.1.nope",
		"keys.201.type", "modules.9.keys.1.type", "modules.1.type", "modules.1.keys.1", "ntp.x", "+", "-",
	} {
		if r, ok := Lookup(name); ok {
			t.Errorf("%q is %+v", name, r)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"lldp", "Yes", "1"},
		{"lldp", "off", "0"},
		{"lldp", "2", "!"},
		{"vlan.id", " 012 ", "12"},
		{"vlan.id", "4095", "!"},
		{"vlan.id", "-1", "!"},
		{"transport", "TLS", "tls"},
		{"transport", "sctp", "!"},
		{"codecs", " G722, pcma,g722 ", "g722,pcma"},
		{"codecs", "g722,x", "!"},
		{"codecs", ",", "!"},
		{"ntp", "a_b.c-d", "a_b.c-d"},
		{"ntp", "2001:db8::1", "2001:db8::1"},
		{"ntp", "a b", "!"},
		{"ntp", strings.Repeat("a", 300), "!"},
		{"outboundProxy", "off", "off"},
		{"outboundProxy", "[::1]:5", "[::1]:5"},
		{"outboundProxy", "h:99999", "!"},
		{"outboundProxy", "h:p", "!"},
		{"wallpaper", "http://h/x.jpg", "http://h/x.jpg"},
		{"wallpaper", "javascript:x", "!"},
		{"wallpaper", "http://h/a b", "!"},
		{"provisioning.daily", "23:59", "23:59"},
		{"provisioning.daily", "24:00", "!"},
		{"forward.busy", "off", "off"},
		{"forward.busy", "a\nb", "!"},
		{"forward.busy", "*21", "*21"},
		{"forward.busy", "1 2", "!"},
		{"label", "a\x00", "!"},
		{"label", strings.Repeat("ä", 128), strings.Repeat("ä", 128)},
		{"adminPassword", "p\tw", "p\tw"},
		{"adminPassword", strings.Repeat("x", 129), "!"},
		{"dhcp.ip", "192.0.2.1", "192.0.2.1"},
		{"dhcp.ip", "0.0.0.0", "!"},
	} {
		r, _ := Lookup(tt.name)
		got, err := r.Spec.Parse(tt.in)
		if err != nil {
			got = "!"
		}
		if got != tt.want {
			t.Errorf("%s %q is %q, want %q (%v)", tt.name, tt.in, got, tt.want, err)
		}
	}
}

// What Parse returns, Parse takes, and returns again.
func TestParseIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(Schema()).Draw(t, "spec")
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9a-zA-Z.:,*-]{0,12}`), rapid.Just(s.Example)).Draw(t, "text")
		once, err := s.Parse(text)
		if err != nil {
			return
		}
		if twice, err := s.Parse(once); err != nil || twice != once {
			t.Errorf("%s: %q becomes %q, then %q, %v", s.Key, text, once, twice, err)
		}
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	got := Merge(
		Layer{"a", map[string]string{"x": "1", "codecs": "pcma", "keys.1.type": "blf", "keys.10.type": "blf", "keysx": "stays", "vlan.id": "5"}},
		Layer{"b", map[string]string{"x": "2", "codecs+": "g722", "keys.1-": "", "vlan-": "", "list+": "only"}},
		Layer{"c", map[string]string{"codecs-": "", "codecs": "opus", "codecs+": "g729", "y": ""}},
	)
	want := Effective{
		"x": {"2", "b"}, "codecs": {"opus,g729", "c"}, "keys.10.type": {"blf", "a"}, "keysx": {"stays", "a"}, "list": {"only", "b"}, "y": {"", "c"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Without operators the last layer that has a name wins, whatever the layers are.
func TestMergeIsLastWins(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.MapOf(rapid.StringMatching(`[a-c](\.[a-c])?`), rapid.StringMatching(`[0-9]`))
		layers := rapid.SliceOfN(set, 0, 5).Draw(t, "layers")
		all, want := []Layer{}, map[string]string{}
		for _, s := range layers {
			all = append(all, Layer{Settings: s})
			maps.Copy(want, s)
		}
		got := map[string]string{}
		for name, v := range Merge(all...) {
			got[name] = v.Text
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStack(t *testing.T) {
	t.Parallel()
	var none *Stack
	if none.Find("global", "") != nil || none.Revision() != 0 || len(none.Effective(phone.Device{}, "", nil)) != 0 {
		t.Error("the nil stack has something")
	}
	s := NewStack(4, []phone.Layer{{Scope: "global", Settings: map[string]string{"a": "g"}}, {Scope: "site", Settings: map[string]string{"b": "a site without a name"}}})
	e := s.Effective(phone.Device{Settings: map[string]string{"lines.1.label": "x"}}, "", map[string]string{"a": "s", "c": "s"})
	if diff := cmp.Diff(Effective{"a": {"g", "global"}, "c": {"s", "server"}, "lines.1.label": {"x", "line"}}, e); diff != "" || s.Revision() != 4 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	raw, err := Check(map[string]string{"ntp": "a b", "vlan.id": "x", "odd": "1", "codecs+": "opus", "ntp+": "x", "x-": "", "y-": "1", "lldp": "on"})
	var field *phone.FieldError
	if !errors.As(err, &field) || strings.Count(err.Error(), "settings.") != 4 || cmp.Diff([]string{"odd"}, raw) != "" {
		t.Errorf("%v; raw %q", err, raw)
	}
	for name, want := range map[string]bool{"adminPassword": true, "userPassword-": true, "ntp": false, "account.1.password": true, "P34": true, "P35": false} {
		if IsSecret(name) != want {
			t.Errorf("%s: secret %t", name, !want)
		}
	}
}
