package templates

import "pbx.dev/dialtone/internal/phone"

// Sample is a phone that nobody has, which templates are tried on before any real
// phone gets what they render.
type Sample struct {
	Name string // "one line", "everything", "hostile", "no phone"
	View View
	// Twin is the same phone with harmless texts: a template that renders other
	// parameters for the two lets a text become one. nil: it is the twin of none.
	Twin *View
}

// hostileSample is what a name may hold at worst: what ends a value, an element, a
// line or a comment in one of the dialects, or opens an action.
const hostileSample = "R&D <Desk>\"'\nevil.param = 1\n#;%=]]>{{.}} \u00e9\u2028"

// Samples are the phones of a vendor that templates are tried on. model is theirs;
// it may be empty.
func Samples(v phone.Vendor, model string) []Sample {
	full := sampleFull(v, model, "text", "Conference & more")
	twin := sampleFull(v, model, "text", "text")
	hostile := sampleFull(v, model, hostileSample, hostileSample)
	common := sampleServer(v)
	one := common
	one.Model, one.MAC = model, NewMAC(phone.MAC{0x02, 0, 0, 0xab, 0xcd, 0xef})
	one.Lines = []Line{sampleLine(1, "text", common.Server)}
	return []Sample{
		{Name: "one line", View: one},
		{Name: "everything", View: full},
		{Name: "hostile", View: hostile, Twin: &twin},
		{Name: "no phone", View: common},
	}
}

// sampleSecret is in every secret of a sample and in nothing else.
const sampleSecret = "s4mpleSecret"

func sampleServer(v phone.Vendor) View {
	return View{
		Vendor: string(v), NTP: "ntp.example.net", TimeZone: TimeZone{Offset: 3600, Grandstream: "CET-1"}, ProvisionURL: "http://192.0.2.10:8081/",
		Server: Server{Host: "sip.example.net", Port: 5060, Transport: "udp", Domain: "example.net", Expires: 3600},
	}
}

// sampleFull has three lines and something in every text; free is in those that
// people write, name in their names.
func sampleFull(v phone.Vendor, model, free, name string) View {
	view := sampleServer(v)
	view.Model, view.Name, view.MAC = model, name, NewMAC(phone.MAC{0x02, 0, 0, 0xab, 0xcd, 0xef})
	view.Server.Transport, view.Server.Port = "tls", 5061
	view.Server.OutboundProxy = HostPort{Host: "proxy.example.net", Port: 5061}
	view.AdminPassword = phone.NewSecret(sampleSecret + free)
	view.UserPassword = phone.NewSecret(sampleSecret + free)
	view.ProvisionUser, view.ProvisionPassword = "020000abcdef", phone.NewSecret(sampleSecret+free)
	sampleDevice(&view, free)
	for n := 1; n <= 3; n++ {
		l := sampleLine(n, free, view.Server)
		l.DisplayName = name
		l.SRTP, l.DTMF, l.MWI, l.Ring, l.DND, l.NoAnswerSeconds = "optional", "info", "1", "2", "0", "20"
		l.Voicemail, l.ForwardAlways, l.ForwardBusy, l.ForwardNoAnswer = free, free, free, free
		l.Codecs = []Codec{{Name: "g722", Enabled: "1", Priority: 1}, {Name: "pcma", Enabled: "0"}}
		view.Lines = append(view.Lines, l)
	}
	return view
}

// sampleDevice gives a phone every setting that is not a line's.
func sampleDevice(v *View, free string) {
	v.TimeFormat, v.Language, v.LLDP, v.CDP, v.QoS = "24", "de", "1", "0", QoS{"26", "46"}
	v.Web, v.Syslog, v.Volume = Web{"1", "1"}, Syslog{free, "info"}, Volume{"5", "1"}
	v.Call = Call{Waiting: "1", DNDAllowed: "1", ForwardAllowed: "1", Pickup: free}
	v.Schedule, v.Wallpaper = Schedule{Minutes: "60"}, "http://192.0.2.10/"+free
	v.PhonebookURL, v.PhonebookPages = v.ProvisionURL+v.MAC.Hex+"/", []int{1}
	v.Keys = []Key{{Number: 1, Type: "line", Line: 1}, {Number: 2, Type: "blf", Value: free, Label: free, Line: 1, Pickup: free, Lamp: 1}}
	v.ModuleKeys = []Key{{Module: 1, Number: 1, Type: "speeddial", Value: free, Label: free, Line: 1}}
	v.Contacts = []Contact{{Number: free, Name: free, Speed: 2}}
}

func sampleLine(n int, free string, server Server) Line {
	return Line{
		Number: n, User: "10" + string(rune('0'+n)), AuthUser: "10" + string(rune('0'+n)) + "_a1b2c3",
		Password: phone.NewSecret(sampleSecret + free), DisplayName: free, Label: free, Server: server,
	}
}
