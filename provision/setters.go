package provision

import (
	"strings"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// phoneSetters is where each setting of a phone stands in the view. A test holds it
// against the schema.
var phoneSetters = map[string]func(*builder, string){
	"timezone":              func(b *builder, v string) { b.zone = v },
	"ntp":                   func(b *builder, v string) { b.view.NTP = v },
	"time.format":           func(b *builder, v string) { b.view.TimeFormat = v },
	"language":              func(b *builder, v string) { b.view.Language = v },
	"vlan.id":               func(b *builder, v string) { b.view.VLAN.ID = v },
	"vlan.priority":         func(b *builder, v string) { b.view.VLAN.Priority = v },
	"vlan.pc":               func(b *builder, v string) { b.view.VLAN.PC = v },
	"lldp":                  func(b *builder, v string) { b.view.LLDP = v },
	"cdp":                   func(b *builder, v string) { b.view.CDP = v },
	"qos.sip":               func(b *builder, v string) { b.view.QoS.SIP = v },
	"qos.rtp":               func(b *builder, v string) { b.view.QoS.RTP = v },
	"adminPassword":         func(b *builder, v string) { b.view.AdminPassword = b.secret(v) },
	"userPassword":          func(b *builder, v string) { b.view.UserPassword = b.secret(v) },
	"web.enabled":           func(b *builder, v string) { b.view.Web.Enabled = v },
	"web.https":             func(b *builder, v string) { b.view.Web.HTTPS = v },
	"syslog.server":         func(b *builder, v string) { b.view.Syslog.Server = v },
	"syslog.level":          func(b *builder, v string) { b.view.Syslog.Level = v },
	"volume.ring":           func(b *builder, v string) { b.view.Volume.Ring = v },
	"volume.keep":           func(b *builder, v string) { b.view.Volume.Keep = v },
	"callWaiting":           func(b *builder, v string) { b.view.Call.Waiting = v },
	"dnd.allowed":           func(b *builder, v string) { b.view.Call.DNDAllowed = v },
	"forward.allowed":       func(b *builder, v string) { b.view.Call.ForwardAllowed = v },
	"pickup":                func(b *builder, v string) { b.view.Call.Pickup = v },
	"wallpaper":             func(b *builder, v string) { b.view.Wallpaper = v },
	"phonebook":             func(b *builder, v string) { b.book = v == "1" },
	"provisioning.interval": func(b *builder, v string) { b.view.Schedule.Minutes = v },
	"provisioning.daily":    func(b *builder, v string) { b.view.Schedule.Daily = v },
	"firmware.url":          func(b *builder, v string) { b.view.Firmware.URL = v },
	"dhcp.ip":               func(*builder, string) {}, // DHCP reads it; no file has it
	"group":                 func(*builder, string) {}, // has chosen a layer
}

// secret is a password for a phone; a file that belongs to no phone has none.
func (b *builder) secret(text string) phone.Secret {
	if b.view.MAC.Hex == "" {
		return phone.Secret{}
	}
	return phone.NewSecret(text)
}

// lineSetters is where each setting of a line stands in the view, beside those that
// account.set knows.
var lineSetters = map[string]func(*templates.Line, string){
	"label":                   func(l *templates.Line, v string) { l.Label = v },
	"displayName":             func(l *templates.Line, v string) { l.DisplayName = v },
	"srtp":                    func(l *templates.Line, v string) { l.SRTP = v },
	"codecs":                  func(l *templates.Line, v string) { l.Codecs = codecsOf(v) },
	"dtmf":                    func(l *templates.Line, v string) { l.DTMF = v },
	"voicemail.number":        func(l *templates.Line, v string) { l.Voicemail = v },
	"voicemail.subscribe":     func(l *templates.Line, v string) { l.MWI = v },
	"ring":                    func(l *templates.Line, v string) { l.Ring = v },
	"dnd":                     func(l *templates.Line, v string) { l.DND = v },
	"forward.always":          func(l *templates.Line, v string) { l.ForwardAlways = v },
	"forward.busy":            func(l *templates.Line, v string) { l.ForwardBusy = v },
	"forward.noAnswer":        func(l *templates.Line, v string) { l.ForwardNoAnswer = v },
	"forward.noAnswerSeconds": func(l *templates.Line, v string) { l.NoAnswerSeconds = v },
}

// knownCodecs are all that a file says something of, in the order in which those
// that are switched off stand.
var knownCodecs = []string{"pcmu", "pcma", "g722", "g729", "opus", "ilbc", "g726", "g723"}

// codecsOf lists the codecs of a setting, best first, then all others, off.
func codecsOf(list string) []templates.Codec {
	out := make([]templates.Codec, 0, len(knownCodecs))
	for name := range strings.SplitSeq(list, ",") {
		out = append(out, templates.Codec{Name: name, Enabled: "1", Priority: len(out) + 1})
	}
	for _, name := range knownCodecs {
		if !strings.Contains(","+list+",", ","+name+",") {
			out = append(out, templates.Codec{Name: name, Enabled: "0"})
		}
	}
	return out
}
