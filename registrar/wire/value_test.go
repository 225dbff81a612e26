package wire

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestKey has the pairs of RFC 3261 section 19.1.4 and their like.
func TestKey(t *testing.T) {
	t.Parallel()
	cases := []struct {
		a, b string
		same bool
	}{
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;security=on", true},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com", "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
		{"sip:101@[2001:DB8::1]:5060", "sip:101@[2001:db8:0::1]:5060", true},
		{"sip:101@host.", "sip:101@HOST", true},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false},
		{"sip:a@h", "sips:a@h", false},
		{"sip:a@h", "sip:h", false},
		{"sip:a:b@h", "sip:a@h", false},
		{"sip:a@h;user=phone", "sip:a@h", false},
		{"sip:a@h;maddr=1.2.3.4", "sip:a@h;maddr=1.2.3.5", false},
		{"sip:a%00b@h", "sip:a%01b@h", false},
	}
	for _, c := range cases {
		a, okA := ParseURI(c.a)
		b, okB := ParseURI(c.b)
		if !okA || !okB {
			t.Errorf("cannot read %s or %s", c.a, c.b)
			continue
		}
		if same := slices.Equal(a.AppendKey(nil), b.AppendKey(nil)); same != c.same {
			t.Errorf("%s and %s: same %v, want %v", c.a, c.b, same, c.same)
		}
	}
}

func TestParseURI(t *testing.T) {
	t.Parallel()
	got, ok := ParseURI("sip:user;par=u%40example.net:pw@[2001:db8::1]:5062;lr;x=%20?a=b")
	want := URI{Scheme: "sip", User: "user;par=u%40example.net", Password: "pw", Host: "[2001:db8::1]", Port: 5062, Params: ";lr;x=%20", Headers: "a=b"}
	if d := cmp.Diff(want, got); d != "" || !ok {
		t.Error(ok, d)
	}
	for _, bad := range []string{
		"", "sip:", "sip:@h", "tel:101", "mailto:a@b", "sip:a@", "sip:a@h:0", "sip:a@h:70000", "sip:a@h:x", "sip:a@[1.2.3.4]",
		"sip:a@[::1", "sip:a b@h", "sip:a@h@i", "sip:a@h\r\n", "sip:a%4@h", "sip:a@h;x=%zz", "sip:a@h/x", "sip:a@.h", `sip:a@h;x="`, "sip:a@h<",
	} {
		if u, ok := ParseURI(bad); ok {
			t.Errorf("%q was read as %+v", bad, u)
		}
	}
}

func TestSameResource(t *testing.T) {
	t.Parallel()
	cases := []struct {
		a, b string
		same bool
	}{
		{"sip:pbx.dev", "sip:PBX.dev:5060;transport=tcp", true},
		{"sip:%3101@pbx.dev", "sip:101@pbx.dev", true},
		{"tel:101", "tel:101", true},
		{"sip:pbx.dev:5060", "sip:pbx.dev:5080", false},
		{"sip:101@pbx.dev", "sip:102@pbx.dev", false},
		{"sip:pbx.dev", "sips:pbx.dev", false},
		{"sip:pbx.dev", "/", false},
	}
	for _, c := range cases {
		if same := SameResource(c.a, c.b); same != c.same {
			t.Errorf("%s and %s: same %v", c.a, c.b, same)
		}
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	params := `; EXPIRES = 60;+sip.instance="<urn:uuid:a;b=c,\"d\">";reg-id=1;ob;`
	for name, want := range map[string]string{"expires": "60", "+SIP.INSTANCE": `<urn:uuid:a;b=c,"d">`, "Reg-ID": "1", "ob": ""} {
		if v, ok := Param(params, name); !ok || Unquote(v) != want {
			t.Errorf("%s is %q (%v), want %q", name, v, ok, want)
		}
	}
	if v, ok := Param(params, "q"); ok {
		t.Errorf("absent parameter is %q", v)
	}
}

func TestNameAddr(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]NameAddr{
		`sip:a@h;expires=1`:            {URI: "sip:a@h", Params: ";expires=1"},
		`<sip:a@h;lr>;expires=1`:       {URI: "sip:a@h;lr", Params: ";expires=1"},
		`"x, <y>" <sip:a@h?b=c> ; q=1`: {Display: `"x, <y>"`, URI: "sip:a@h?b=c", Params: "; q=1"},
		`Front Desk <sip:a@h>`:         {Display: "Front Desk", URI: "sip:a@h"},
	} {
		if got, ok := ParseNameAddr(in); !ok || got != want {
			t.Errorf("%s is %+v (%v)", in, got, ok)
		}
	}
	for _, bad := range []string{"", "<>", "<sip:a@h", `"x <sip:a@h>`, "sip:a@h?b=c", "a b", "<sip:a@h>x", `"a"b <sip:a@h>`, "sip:a@h,sip:b@h"} {
		if got, ok := ParseNameAddr(bad); ok {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
}

func FuzzValues(f *testing.F) {
	f.Add(`"a\"b, <c>" <sip:%61:p@[::1]:5060;transport=tcp?x=y>;+sip.instance="<urn:x>", *`)
	f.Fuzz(func(t *testing.T, s string) {
		for rest := s; rest != ""; {
			var v string
			before := len(rest)
			if v, rest = CutList(rest); len(rest) >= before {
				t.Fatalf("CutList(%q) makes no progress", s)
			}
			a, _ := ParseNameAddr(v)
			for params := a.Params; params != ""; {
				_, _, params = CutParam(params)
			}
			if u, ok := ParseURI(a.URI); ok {
				u.AppendKey(nil)
			}
			ParseVia(v)
		}
	})
}
