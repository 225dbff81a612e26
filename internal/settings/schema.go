package settings

// keyTypes are the functions of a programmable key.
var keyTypes = []string{"line", "blf", "speeddial", "park", "dtmf", "none"}

// Codecs are the names of codecs, as SDP has them in lower case.
var codecs = []string{"pcmu", "pcma", "g722", "g729", "opus", "ilbc", "g726", "g723"}

// Languages are the ones that a vendor's list in the phone facts names.
var languages = []string{"en", "fr", "de", "es", "it", "nl"}

// schema is the whole of it, grouped as docs/SETTINGS.md shows it.
var schema = []Spec{
	// Accounts.
	{Key: "label", Type: Text, PerLine: true, Example: "Front Desk", Doc: "What the line key shows. Without a number: of line 1."},
	{Key: "displayName", Type: Text, PerLine: true, Example: "Front Desk", Doc: "Name in the From header. Without a number: of line 1."},
	{Key: "sipServer", Type: Host, PerLine: true, Example: "sip2.example.com", Doc: "Registrar instead of the server's own name."},
	{Key: "sipPort", Type: Number, Min: 1, Max: 65535, PerLine: true, Example: "5080", Doc: "Port of the registrar; by default that of the transport."},
	{Key: "transport", Type: Choice, Choices: []string{"udp", "tcp", "tls"}, PerLine: true, Example: "tcp", Doc: "SIP transport."},
	{Key: "outboundProxy", Type: Address, PerLine: true, Example: "proxy.example.com:5080", Doc: "Where all SIP goes; off: straight to the registrar."},
	{Key: "expires", Type: Number, Min: 60, Max: 86400, Unit: "seconds", PerLine: true, Example: "600", Doc: "Registration interval."},
	{Key: "srtp", Type: Choice, Choices: []string{"off", "optional", "required"}, PerLine: true, Example: "optional", Doc: "Encryption of the media."},
	{Key: "codecs", Type: List, Choices: codecs, PerLine: true, Example: "g722,pcma,pcmu", Doc: "Codecs that are offered, best first; all others are switched off."},
	{Key: "dtmf", Type: Choice, Choices: []string{"rfc2833", "info", "inband"}, PerLine: true, Example: "info", Doc: "How digits are sent during a call."},
	{Key: "voicemail.number", Type: Target, PerLine: true, Example: "*97", Doc: "Number that the message key dials."},
	{Key: "voicemail.subscribe", Type: Bool, PerLine: true, Example: "true", Doc: "SUBSCRIBE for message waiting."},
	{Key: "ring", Type: Number, Min: 1, Max: 3, PerLine: true, Example: "2", Doc: "Ring tone by number."},
	{Key: "dnd", Type: Bool, PerLine: true, Example: "true", Doc: "Do not disturb is on after provisioning."},
	{Key: "forward.always", Type: Target, PerLine: true, Example: "200", Doc: "Where all calls go; off: nowhere."},
	{Key: "forward.busy", Type: Target, PerLine: true, Example: "201", Doc: "Where calls go when the line is busy."},
	{Key: "forward.noAnswer", Type: Target, PerLine: true, Example: "202", Doc: "Where calls go when nobody answers."},
	{Key: "forward.noAnswerSeconds", Type: Number, Min: 1, Max: 120, Unit: "seconds", PerLine: true, Example: "25", Doc: "How long nobody answers."},

	// Time and language.
	{Key: "timezone", Type: Zone, Example: "Australia/Sydney", Doc: "Time zone; the rule of daylight saving follows from it."},
	{Key: "ntp", Type: Host, Example: "ntp.example.com", Doc: "Time server."},
	{Key: "time.format", Type: Choice, Choices: []string{"12", "24"}, Example: "24", Doc: "Clock of 12 or 24 hours."},
	{Key: "language", Type: Choice, Choices: languages, Example: "de", Doc: "Language of the menus."},

	// Network.
	{Key: "vlan.id", Type: Number, Min: 0, Max: 4094, Example: "120", Doc: "Voice VLAN; 0: untagged. A wrong one cuts the phone off."},
	{Key: "vlan.priority", Type: Number, Min: 0, Max: 7, Example: "5", Doc: "802.1p priority."},
	{Key: "vlan.pc", Type: Number, Min: 0, Max: 4094, Example: "30", Doc: "VLAN of the PC port; 0: untagged."},
	{Key: "lldp", Type: Bool, Example: "true", Doc: "Learn the VLAN by LLDP-MED."},
	{Key: "cdp", Type: Bool, Example: "false", Doc: "Learn the VLAN by CDP."},
	{Key: "dhcp.ip", Type: IPv4, Example: "192.0.2.40", Doc: "Address that DHCP keeps for the phone; in no file."},
	{Key: "qos.sip", Type: Number, Min: 0, Max: 63, Example: "26", Doc: "DSCP of SIP."},
	{Key: "qos.rtp", Type: Number, Min: 0, Max: 63, Example: "46", Doc: "DSCP of the media."},

	// Access.
	{Key: "adminPassword", Type: Secret, Example: "correct-horse", Doc: "Password of the administrator of menu and web page."},
	{Key: "userPassword", Type: Secret, Example: "battery-staple", Doc: "Password of the ordinary user."},
	{Key: "web.enabled", Type: Bool, Example: "false", Doc: "The phone's web page."},
	{Key: "web.https", Type: Bool, Example: "true", Doc: "The web page by HTTPS only."},
	{Key: "syslog.server", Type: Host, Example: "log.example.com", Doc: "Where the phone's log goes."},
	{Key: "syslog.level", Type: Choice, Choices: []string{"error", "warning", "info", "debug"}, Example: "info", Doc: "Least severity that is sent."},

	// Behaviour.
	{Key: "volume.ring", Type: Number, Min: 0, Max: 7, Example: "5", Doc: "Loudness of the ringer."},
	{Key: "volume.keep", Type: Bool, Example: "true", Doc: "Keep the loudness of one call for the next."},
	{Key: "callWaiting", Type: Bool, Example: "false", Doc: "A second call rings."},
	{Key: "dnd.allowed", Type: Bool, Example: "false", Doc: "The user may switch do not disturb on."},
	{Key: "forward.allowed", Type: Bool, Example: "false", Doc: "The user may forward calls."},
	{Key: "pickup", Type: Text, Example: "*8", Doc: "Code before a number to pick up its call, for busy lamp keys."},
	{Key: "wallpaper", Type: URL, Example: "http://files.example.com/wall.jpg", Doc: "Picture behind the idle screen."},

	// Keys.
	{Key: "keys.#.type", Type: Choice, Choices: keyTypes, Example: "blf", Doc: "What line key N does."},
	{Key: "keys.#.value", Type: Text, Example: "102", Doc: "Number or code of the key."},
	{Key: "keys.#.label", Type: Text, Example: "Ben", Doc: "What the key shows."},
	{Key: "keys.#.line", Type: Number, Min: 1, Max: 250, Example: "2", Doc: "Line that the key uses; by default 1, of a line key N."},
	{Key: "modules.#.keys.#.type", Type: Choice, Choices: keyTypes, Example: "park", Doc: "What key N of expansion module M does."},
	{Key: "modules.#.keys.#.value", Type: Text, Example: "103", Doc: "Number or code of the key."},
	{Key: "modules.#.keys.#.label", Type: Text, Example: "Zoe", Doc: "What the key shows."},
	{Key: "modules.#.keys.#.line", Type: Number, Min: 1, Max: 250, Example: "2", Doc: "Line that the key uses; by default 1."},

	// Phone book, provisioning, firmware.
	{Key: "phonebook", Type: Bool, Example: "false", Doc: "The extensions as the phone's directory; by default true."},
	{Key: "provisioning.interval", Type: Number, Min: 0, Max: 10080, Unit: "minutes", Example: "120", Doc: "Look for a new configuration this often; 0: never."},
	{Key: "provisioning.daily", Type: Clock, Example: "03:30", Doc: "Look for a new configuration every day at this time."},
	{Key: "firmware.url", Type: URL, Example: "http://files.example.com/T46S.rom", Doc: "Firmware instead of the server's own target."},
	{Key: "group", Type: Text, Example: "sales", Doc: "Group whose layer the phone takes; in a phone's own settings only."},
}
