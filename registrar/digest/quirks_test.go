package digest_test

import (
	"strings"
	"testing"

	"pbx.dev/dialtone/registrar/digest"
)

func TestMD5OnlyClients(t *testing.T) {
	t.Parallel()
	v := newWorld(t)
	for agent, want := range map[string]int{
		"":                                 2,
		"baresip v1.0.0 (x86_64/linux)":    1,
		"baresip v3.16.0 (x86_64/Linux)":   2,
		"not baresip v1.0.0":               2,
		"JsSIP 3.13.8":                     1,
		"SIP.js/0.21.1":                    1,
		digest.Agent("wss", "My page"):     1,
		digest.Agent("tls", "My page"):     2,
		"PolycomVVX-VVX_450-UA/6.4.1.2280": 2,
	} {
		lines := string(v.AppendChallenges(nil, "WWW-Authenticate", false, agent))
		if got := strings.Count(lines, "WWW-Authenticate: "); got != want || !strings.Contains(lines, "algorithm=MD5") {
			t.Errorf("%q: %d challenges, want %d: %s", agent, got, want, lines)
		}
	}
}
