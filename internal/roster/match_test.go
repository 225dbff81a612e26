package roster

import (
	"testing"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
	"pbx.dev/dialtone/registrar/location"
)

// fixed is a Directory of fixed answers.
type fixed struct {
	users map[string]string
	macs  map[string]string
	at    map[string][]string // "extension ip"
}

func (f fixed) DeviceOfUser(u string) (string, bool) { id, ok := f.users[u]; return id, ok }

func (f fixed) DeviceWithMAC(m phone.MAC) (string, bool) { id, ok := f.macs[m.Hex()]; return id, ok }

func (f fixed) DevicesAt(extension, ip, maker string) []string {
	if maker != "" && maker != "Polycom" {
		return nil
	}
	return f.at[extension+" "+ip]
}

func TestMatch(t *testing.T) {
	t.Parallel()
	dir := fixed{
		users: map[string]string{"l_minted": "phone_user"},
		macs:  map[string]string{"0004f2abcdef": "phone_instance", "805ec0aabbcc": "phone_agent"},
		at: map[string][]string{
			"101 10.0.0.5": {"phone_ip"}, "102 10.0.0.5": {"phone_a", "phone_b"}, "101 2001:db8::5": {"phone_six"},
		},
	}
	const (
		instance = "urn:uuid:00000000-0000-0000-0000-0004f2abcdef"
		withMAC  = "Yealink SIP-T46S 66.86.0.15 80:5e:c0:aa:bb:cc"
		vvx      = "PolycomVVX-VVX_450-UA/6.4.5"
	)
	tests := []struct {
		name           string
		aor            location.AOR
		user, instance string
		ua, received   string
		wantID, rule   string
	}{
		{"minted user", "101@pbx.dev", "l_minted", "", "", "192.0.2.1:5060", "phone_user", RuleSIPUser},
		{"minted user before everything else", "101@pbx.dev", "l_minted", instance, withMAC, "10.0.0.5:5060", "phone_user", RuleSIPUser},
		{"instance", "101@pbx.dev", "101_aa", instance, "", "192.0.2.1:5060", "phone_instance", RuleSIPInstance},
		{"instance before user agent", "101@pbx.dev", "101_aa", instance, withMAC, "10.0.0.5:5060", "phone_instance", RuleSIPInstance},
		{"instance in upper case", "101@pbx.dev", "", "URN:UUID:00000000-0000-0000-0000-0004F2ABCDEF", "", "", "phone_instance", RuleSIPInstance},
		{"instance that is the mac", "101@pbx.dev", "", "0004f2abcdef", "", "", "phone_instance", RuleSIPInstance},
		{"random instance", "101@pbx.dev", "", "urn:uuid:7c6d4c1e-9f0b-4f4e-8a3a-0123456789ab", "", "192.0.2.1:1", "", ""},
		{"short instance", "101@pbx.dev", "", "abc", "", "192.0.2.1:1", "", ""},
		{"instance with no hex at the end", "101@pbx.dev", "", "urn:uuid:not-a-mac-at-all", "", "192.0.2.1:1", "", ""},
		{"user agent", "101@pbx.dev", "", "urn:uuid:7c6d4c1e-9f0b-4f4e-8a3a-0123456789ab", withMAC, "10.0.0.5:5060", "phone_agent", RuleUserAgentMAC},
		{"line and ip", "101@pbx.dev", "101_aa", "", vvx, "10.0.0.5:40000", "phone_ip", RuleLineAndIP},
		{"line and ip, text unknown", "101@pbx.dev", "101_aa", "", "", "10.0.0.5:40000", "phone_ip", RuleLineAndIP},
		{"line and ip, v6", "101@pbx.dev", "", "", vvx, "[2001:db8::5]:5060", "phone_six", RuleLineAndIP},
		{"line and ip, v4 in v6", "101@pbx.dev", "", "", vvx, "[::ffff:10.0.0.5]:5060", "phone_ip", RuleLineAndIP},
		{"line and ip ambiguous", "102@pbx.dev", "", "", vvx, "10.0.0.5:5060", "", ""},
		{"other extension", "103@pbx.dev", "", "", vvx, "10.0.0.5:5060", "", ""},
		{"other ip", "101@pbx.dev", "", "", vvx, "10.0.0.6:5060", "", ""},
		{"no ip", "101@pbx.dev", "", "", vvx, "", "", ""},
		{"a soft phone beside the desk phone", "101@pbx.dev", "", "", "MicroSIP/3.21.4", "10.0.0.5:5060", "", ""},
		{"a browser beside the desk phone", "101@pbx.dev", "", "", "JsSIP 3.10.0", "10.0.0.5:5060", "", ""},
		{"another mac beside the desk phone", "101@pbx.dev", "", "", "PolycomVVX-VVX_450-UA/6.4.5_0004f2000001", "10.0.0.5:5060", "", ""},
		{"an unknown program beside the desk phone", "101@pbx.dev", "", "", "Linphone-Desktop/5.0", "10.0.0.5:5060", "", ""},
		{"another maker's phone beside the desk phone", "101@pbx.dev", "", "", "Yealink SIP-T46S 66.86.0.15", "10.0.0.5:5060", "", ""},
		{"nothing known", "", "", "", "", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := location.Binding{AOR: tt.aor, AuthUser: tt.user, Instance: tt.instance, Received: tt.received, UserAgent: tt.ua}
			id, rule := Match(b, useragent.Parse(tt.ua, useragent.SIP), dir)
			if id != tt.wantID || rule != tt.rule {
				t.Errorf("got %q by %q, want %q by %q", id, rule, tt.wantID, tt.rule)
			}
		})
	}
}

func TestHostOf(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"10.0.0.1:5060": "10.0.0.1", "10.0.0.1": "10.0.0.1", "[2001:db8::1]:5060": "2001:db8::1",
		"2001:db8::1": "2001:db8::1", "[::ffff:10.0.0.1]:5": "10.0.0.1", "": "",
	} {
		if got := hostOf(in); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", in, got, want)
		}
	}
}
