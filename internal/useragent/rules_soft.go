package useragent

// softRules are phones made of software, in the spellings of
// phone-facts/user_agents.csv. Rules marked [U] follow shapes that no real
// sample confirms.
func softRules() []rule {
	soft := func(vendor string) Agent { return Agent{Vendor: vendor, Type: Softphone} }
	mobile := func(vendor string) Agent { return Agent{Vendor: vendor, Type: Mobile} }
	web := func(vendor string) Agent { return Agent{Vendor: vendor, Type: WebRTC} }
	return []rule{
		{prefix: "jssip", ctx: both, expr: `JsSIP[ /](?P<ver>[\w.-]+)`, agent: web("JsSIP")},
		{prefix: "sip.js/", ctx: both, expr: `SIP\.js/(?P<ver>\d+(?:\.\d+)*)`, agent: web("SIP.js")},

		{prefix: "linphone desktop/", ctx: both, expr: `Linphone Desktop/(?P<ver>\S+)`, agent: soft("Linphone Desktop")},
		{prefix: "linphoneios/", ctx: both, expr: `LinphoneiOS/(?P<ver>\S+)`, agent: mobile("Linphone iOS")},
		{prefix: "linphoneiphone/", ctx: both, expr: `LinphoneIPhone/(?P<ver>\S+)`, agent: mobile("Linphone iOS")},
		{prefix: "linphoneandroid/", ctx: both, expr: `LinphoneAndroid/(?P<ver>\S+)`, agent: mobile("Linphone Android")},
		{prefix: "linphone/", ctx: both, expr: `Linphone/(?P<ver>\S+)`, agent: soft("Linphone")},

		{prefix: "microsip/", ctx: both, expr: `MicroSIP/(?P<ver>\S+)`, agent: soft("MicroSIP")},
		{prefix: "zoiper v", ctx: both, expr: `Zoiper v(?P<ver>\d\S*)`, agent: mobile("Zoiper")},
		{prefix: "zoiper ", ctx: both, expr: `Zoiper (?:for \w+ )?(?P<ver>\S.*)`, agent: soft("Zoiper")},
		{prefix: "z ", ctx: both, expr: `Z (?P<ver>\d[\d.]*) r?v\d`, agent: soft("Zoiper 5")},
		{prefix: "baresip", ctx: both, expr: `baresip v?(?P<ver>\d\S*)`, agent: soft("baresip")},
		{prefix: "pjsua v", ctx: both, expr: `PJSUA v(?P<ver>[^\s/]+)`, agent: soft("pjsua")},
		{prefix: "jitsi/", ctx: HTTP, expr: `Jitsi/(?P<ver>\S+)`, agent: Agent{Vendor: "Jitsi", Model: "Jitsi", Type: Softphone}},
		{prefix: "jitsi", ctx: both, expr: `Jitsi/?(?P<ver>\d+(?:\.\d+)+)`, agent: soft("Jitsi")},
		{prefix: "twinkle/", ctx: both, expr: `Twinkle/(?P<ver>\S+)`, agent: soft("Twinkle")},
		{prefix: "telephone ", ctx: both, expr: `Telephone (?P<ver>\d[\d.]*)$`, agent: soft("Telephone (macOS)")},
		{prefix: "ekiga/", ctx: both, expr: `Ekiga/(?P<ver>\S+)`, agent: soft("Ekiga")},
		{prefix: "3cxphone ", ctx: both, expr: `3CXPhone (?P<ver>\S+)`, agent: soft("3CXPhone")},
		{prefix: "portsip uc", ctx: both, expr: `PortSIP UC .*?(?P<ver>\d+(?:\.\d+)+)`, agent: soft("PortSIP")},
		{prefix: "portsip - ", ctx: both, expr: `PortSIP - .*\((?P<ver>[^,]+), (?:Android|iOS)`, agent: mobile("PortSIP SDK")},
		{prefix: "csipsimple", ctx: both, expr: `CSipSimple.*?[ /](?P<ver>r\d+)`, agent: mobile("CSipSimple")},
		{prefix: "sangoma connect/", ctx: both, expr: `Sangoma Connect/(?P<ver>\S+)`, agent: mobile("Sangoma Connect")},
		{prefix: "acrobits sipis", ctx: both, agent: mobile("Acrobits (push proxy)")},
		{prefix: "acrobits softphone/", ctx: both, expr: `Acrobits Softphone/(?P<ver>\d[\d.]*)?`, agent: mobile("Acrobits Softphone")}, // [U]
		{prefix: "groundwire/", ctx: both, expr: `Groundwire/(?P<ver>\d[\d.]*)?`, agent: mobile("Groundwire")},                         // [U]

		{prefix: "bria mobile", ctx: both, expr: `Bria Mobile (?:iOS|Android)(?: release)?(?: (?P<ver>\d[\d.]*))?`, agent: mobile("Bria Mobile")}, // [U]
		{prefix: "bria ios", ctx: both, expr: `Bria iOS(?: release)?(?: (?P<ver>\d[\d.]*))?`, agent: mobile("Bria iOS")},
		{prefix: "bria", ctx: both, expr: `Bria(?: \d+)? release (?P<ver>\d[\d.]*)?`, agent: soft("Bria")},
		{prefix: "x-lite", ctx: both, expr: `X-Lite(?: \S+)? (?:release|build) (?P<ver>.+?)(?: stamp.*)?$`, agent: soft("X-Lite")},
	}
}
