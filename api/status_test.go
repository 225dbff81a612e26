package api

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
)

// TestStuckAt lists the events newest first, as the timeline does.
func TestStuckAt(t *testing.T) {
	t.Parallel()
	yealink := roster.Phone{Provisioned: true, Manufacturer: "Yealink", MAC: phone.MAC{0x80, 0x5e, 0xc0, 1, 2, 3}, State: "contacted", Revision: 5, HasRevision: 5}
	behind, foreign := yealink, yealink
	behind.HasRevision, foreign.HasRevision = 3, 0
	polycom := roster.Phone{Provisioned: true, Manufacturer: "Polycom", MAC: deskMAC, State: "contacted"}
	soft := roster.Phone{DeviceType: "softphone", State: "unregistered"}
	live := yealink
	live.Registered = true
	unknown := roster.Phone{State: "pending", MAC: deskMAC}
	bare := roster.Phone{Provisioned: true, State: "pending"}
	lapsed := yealink
	lapsed.LastRegistered = noon

	file := func(path, outcome string) phone.Event {
		return phone.Event{At: noon, Kind: phone.EventFile, Path: path, Outcome: outcome}
	}
	kind := func(k phone.EventKind) phone.Event { return phone.Event{At: noon, Kind: k, Outcome: "ok"} }
	const config, boot, common = "/p/805ec0010203.cfg", "/805ec0010203.boot", "/y000000000044.cfg"

	tests := []struct {
		name   string
		phone  roster.Phone
		events []phone.Event
		want   string // part of the sentence
	}{
		{"registered", live, []phone.Event{kind(phone.EventAuthFailed)}, ""},
		{"pending", unknown, []phone.Event{file("/0004f2abcdef.cfg", "denied")}, "not provisioned"},
		{"no line", bare, nil, "has no line"},
		{"never contacted us", yealink, nil, "never contacted"},
		{"only administered", yealink, []phone.Event{kind(phone.EventAdmin)}, "never contacted"},
		{"only DHCP", yealink, []phone.Event{kind(phone.EventDHCP)}, "never fetched a file"},
		{"boot file only", yealink, []phone.Event{file(boot, "ok"), kind(phone.EventDHCP)}, "fetched 805ec0010203.boot"},
		{"common file only", yealink, []phone.Event{file(common, "ok"), file(boot, "not-found")}, "fetched y000000000044.cfg"},
		{"overrides are not its configuration", yealink, []phone.Event{file("/805ec0010203-local.cfg", "ok")}, "never its own"},
		{"the master of a Polycom is not its configuration", polycom, []phone.Event{file("/0004f2abcdef.cfg", "ok")}, "never its own"},
		{"the file a Polycom's master names", polycom, []phone.Event{file("/0004f2abcdef-account.cfg", "ok"), file("/0004f2abcdef.cfg", "ok")}, "0004f2abcdef-account.cfg"},
		{"configured, not registered", yealink, []phone.Event{file(config, "ok"), file(common, "ok")}, "has not registered since"},
		{"upper case", yealink, []phone.Event{file("/805EC0010203.CFG", "ok")}, "has not registered since"},
		{"no file for it", yealink, []phone.Event{file(config, "not-found"), file(common, "ok")}, "no such file for it"},
		{"refused", yealink, []phone.Event{file(config, "denied"), file(boot, "ok")}, "was refused"},
		{"refused with a reason", yealink, []phone.Event{{At: noon, Kind: phone.EventFile, Path: config, Outcome: "denied", Detail: "The source is not in provision.lan."}}, "UTC: The source is not in provision.lan."},
		{"our fault", yealink, []phone.Event{file(config, "error")}, "on the side of dialtone"},
		{"wrong password", yealink, []phone.Event{kind(phone.EventAuthFailed), file(config, "ok")}, "wrong password. Restart"},
		{"wrong password before the new configuration", yealink, []phone.Event{file(config, "ok"), kind(phone.EventAuthFailed)}, "has not registered since"},
		{"wrong password of a softphone", soft, []phone.Event{kind(phone.EventAuthFailed)}, "wrong password. Enter"},
		{"ran out", yealink, []phone.Event{kind(phone.EventExpired), kind(phone.EventRegister)}, "ran out"},
		{"left", soft, []phone.Event{kind(phone.EventUnregister)}, "removed its registration"},
		{"DHCP does not answer", yealink, []phone.Event{{At: noon, Kind: phone.EventDHCP, Outcome: "ignored"}}, "was not given what it asked for (ignored: "},
		{"DHCP answered before", yealink, []phone.Event{{At: noon, Kind: phone.EventDHCP, Outcome: "ignored"}, kind(phone.EventDHCP)}, "never fetched a file"},
		{"did not ask DHCP for its configuration", yealink, []phone.Event{{At: noon, Kind: phone.EventDHCP, Path: "REQUEST", Outcome: "ok", Detail: "gave an address 10.9.0.5; asked for options 1 3; known as yealink by OUI"}}, "not where its configuration is"},
		{"gave its address back", yealink, []phone.Event{{At: noon, Kind: phone.EventDHCP, Path: "RELEASE", Outcome: "ok", Detail: "gave its address back; asked for no options"}}, "never contacted"},
		{"another DHCP server", yealink, []phone.Event{{At: noon, Kind: phone.EventDHCP, Path: "REQUEST", Outcome: "ignored", Detail: "the phone chose another DHCP server, 10.9.0.3; asked for options 1"}, kind(phone.EventDHCP)}, "another DHCP server at 2026-09-01 12:00:00 UTC (the phone chose another DHCP server, 10.9.0.3)"},
		{"PnP only", yealink, []phone.Event{kind(phone.EventPnP)}, "told by PnP"},
		{"stored a log", yealink, []phone.Event{{At: noon, Kind: phone.EventUpload, Path: "805ec0010203.log", Outcome: "ok"}}, "stored 805ec0010203.log here"},
		{"could not store a log", yealink, []phone.Event{{At: noon, Kind: phone.EventUpload, Path: "805ec0010203.log", Outcome: "denied", Detail: "too long"}}, "was not taken (too long)"},
		{"a refused REGISTER", yealink, []phone.Event{{At: noon, Kind: phone.EventSIP, Outcome: phone.SIPRefused, Status: 403, Detail: "why"}, file(config, "ok")}, "refused with 403 at 2026-09-01 12:00:00 UTC: why."},
		{"banned", yealink, []phone.Event{{At: noon, Kind: phone.EventAuthFailed, Outcome: "banned"}}, "so often that nothing"},
		{"an unknown user", yealink, []phone.Event{{At: noon, Kind: phone.EventAuthFailed, Detail: phone.DetailUnknownUser + ` "x"`}}, `nobody has the user "x"`},
		{"three ends are none too many", yealink, slices.Repeat([]phone.Event{kind(phone.EventExpired)}, 3), "ran out at"},
		{"flaps", yealink, slices.Repeat([]phone.Event{kind(phone.EventExpired)}, 4), "comes and goes: it ended 4 times"},
		{"starts over and over", yealink, slices.Repeat([]phone.Event{file(config, "ok")}, 5), "5 times within an hour"},
		{"was registered in between", yealink, append(slices.Repeat([]phone.Event{file(config, "ok")}, 4), kind(phone.EventRegister), file(config, "ok")), "has not registered since: check"},
		{"its template fails", yealink, []phone.Event{{At: noon, Kind: phone.EventFile, Path: config, Outcome: "ok", Detail: phone.DetailStaleTemplate}}, "since its template fails"},
		{"the database fails", yealink, []phone.Event{{At: noon, Kind: phone.EventFile, Path: config, Outcome: "ok", Detail: phone.DetailStaleStore}}, "since the database did not answer"},
		{"registered and silent", live, []phone.Event{{At: noon, Kind: phone.EventSIP, Outcome: phone.SIPSilent, Source: "10.9.0.5:5060"}, kind(phone.EventRegister)}, "nothing through to 10.9.0.5:5060"},
		{"silent before it registered", live, []phone.Event{kind(phone.EventRegister), {At: noon, Kind: phone.EventSIP, Outcome: phone.SIPSilent}}, ""},
		{"answers again", live, []phone.Event{{At: noon, Kind: phone.EventSIP, Outcome: phone.SIPAnswers}, {At: noon, Kind: phone.EventSIP, Outcome: phone.SIPSilent}}, ""},
		{"in a loop of its firmware", yealink, []phone.Event{{At: noon, Kind: phone.EventFirmware, Outcome: "stopped", Detail: "fetched x"}, file(config, "ok")}, "loop of its firmware: at 2026-09-01 12:00:00 UTC it had fetched x"},
		{"an old password", behind, []phone.Event{kind(phone.EventAuthFailed), file(config, "ok")}, "last fetched revision 3 of its configuration, the current one is 5"},
		{"configured by something else", foreign, []phone.Event{kind(phone.EventAuthFailed)}, "something else has configured it"},
		{"an old configuration", behind, []phone.Event{{At: noon, Kind: phone.EventFile, Path: config, Outcome: "ok", Revision: 3}}, "fetched revision 3 of its configuration"},
		{"a common file that is not there", yealink, []phone.Event{file("/y000000000066.cfg", "not-found"), kind(phone.EventDHCP)}, "asked for y000000000066.cfg at 2026-09-01 12:00:00 UTC, which is not there, but never for its own"},
		{"does not answer a NOTIFY", yealink, []phone.Event{{At: noon, Kind: phone.EventNotify, Outcome: "no-answer", Detail: "told to check-sync"}, file(config, "ok")}, "did not answer when it was told to check-sync"},
		{"cannot be told", yealink, []phone.Event{{At: noon, Kind: phone.EventNotify, Outcome: "unreachable", Detail: "told to check-sync"}}, "was gone"},
		{"obeyed a NOTIFY", yealink, []phone.Event{{At: noon, Kind: phone.EventNotify, Outcome: "ok"}, file(config, "ok")}, "has not registered since"},
		{"does not trust us", yealink, []phone.Event{{At: noon, Kind: phone.EventConnect, Proto: "tls", Detail: "it does not accept the certificate of this server; give it the CA certificate, and the right time"}}, "does not accept the certificate"},
		{"speaks old TLS", yealink, []phone.Event{{At: noon, Kind: phone.EventConnect, Proto: "tls", Detail: "it has no TLS version that is allowed here; see sip.tls_min_version"}}, "no TLS version"},
		{"broke off", yealink, []phone.Event{file(config, "aborted"), file(boot, "ok")}, "broke off"},
		{"nothing since", lapsed, nil, "last registered"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := stuckAt(tt.phone, tt.events)
			if !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
				t.Errorf("%q, want %q in it", got, tt.want)
			}
			if got != "" && (!strings.HasSuffix(got, ".") || strings.Contains(got, "..")) {
				t.Errorf("not a plain sentence: %q", got)
			}
		})
	}
}

func TestStuckAtNamesTheTimeInUTC(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 9, 1, 14, 0, 0, 0, time.FixedZone("CEST", 7200))
	got := stuckAt(roster.Phone{Provisioned: true}, []phone.Event{{At: at, Kind: phone.EventExpired}})
	if !strings.Contains(got, "2026-09-01 12:00:00 UTC") {
		t.Error(got)
	}
}
