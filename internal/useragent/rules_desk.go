package useragent

// deskRules are the other makers of desk phones, gateways and speakers, in the
// spellings of phone-facts/user_agents.csv.
func deskRules() []rule {
	hw := func(vendor string) Agent { return Agent{Vendor: vendor, Type: Hardware} }
	const spa = `(?:Cisco|Linksys)/(?P<model>\w+(?:-[a-z0-9]+)??)-(?P<ver>`
	return []rule{
		// HTTP: "Mozilla/4.0 (compatible; snom710-SIP 8.7.5.35 1.1.5-IFX-05.01.12 000413741767)".
		{prefix: "mozilla/4.0 (compatible; snom", ctx: both, expr: `Mozilla/4\.0 \(compatible; snom(?P<model>\w+)-SIP (?P<ver>[^\s;)]+)(?:.*? ` + macExpr + `(?:[ )]|$))?`, agent: hw("Snom")},
		{prefix: "mozilla/4.0 (compatible; snom", ctx: both, agent: hw("Snom")},
		{prefix: "snom ", ctx: both, expr: `snom (?P<model>M\d+)\s+(?P<ver>\d[\d.]*)(?:\s+` + macExpr + `)?`, agent: hw("Snom")},
		{prefix: "snom", ctx: both, expr: `snom(?P<model>\w+)[/-](?P<ver>\d[\w.]*)`, agent: hw("Snom")},

		{prefix: "fanvil", ctx: both, expr: `Fanvil (?P<model>\S+) V?(?P<ver>\d\S*)(?: ` + macExpr + `)?`, agent: hw("Fanvil")},

		// The token in parentheses is the MAC or a serial number.
		{prefix: "cisco/", ctx: both, expr: spa + `\d+(?:\.\d+)+\w*\(\w+\))(?: \(` + macExpr + `\)| |$)`, agent: hw("Cisco")},
		{prefix: "cisco/", ctx: both, expr: spa + `\d+(?:\.\d+)+\w*)(?: \(` + macExpr + `\))?`, agent: hw("Cisco")},
		{prefix: "linksys/", ctx: both, expr: spa + `\d+(?:\.\d+)+\w*(?:\(\w+\))?)(?: \(` + macExpr + `\))?`, agent: hw("Cisco")},
		{prefix: "cisco-cp", ctx: both, expr: `Cisco-(?P<model>CP[^/\s]+)/(?P<ver>\S+)(?: \(` + macExpr + `\))?`, agent: hw("Cisco")},

		{prefix: "aastra", ctx: both, expr: `Aastra(?P<model>\w+) MAC:` + macExpr + ` V:(?P<ver>\S+)`, agent: hw("Aastra")},
		{prefix: "mitel", ctx: both, expr: `Mitel(?P<model>\w+) MAC:` + macExpr + ` V:(?P<ver>\S+)`, agent: hw("Mitel")},
		{prefix: "aastra", ctx: both, expr: `Aastra (?P<model>[^/\s]+)/(?P<ver>\S+)`, agent: hw("Aastra")},
		{prefix: "mitel", ctx: both, expr: `Mitel (?P<model>[^/\s]+)/(?P<ver>\S+)`, agent: hw("Mitel")},
		{prefix: "mitel-", ctx: both, expr: `Mitel-(?P<model>\d+)-SIP-Phone (?P<ver>\S+)(?: ` + macExpr + `)?`, agent: hw("Mitel")},

		{prefix: "ale ", ctx: both, expr: `ALE (?P<model>\S+) (?P<ver>\S+)(?: ` + macExpr + `)?`, agent: hw("Alcatel-Lucent Enterprise")},
		{prefix: "gigaset ", ctx: both, expr: `Gigaset (?P<model>[^/;]+)/(?P<ver>[^;\s]+)(?:;` + macExpr + `)?`, agent: hw("Gigaset")},
		{prefix: "n", ctx: both, expr: `(?P<model>N\d{3}[ -][A-Z -]*PRO)/(?P<ver>[^;\s]+)(?:;` + macExpr + `)?`, agent: hw("Gigaset")},
		{prefix: "htek", ctx: both, expr: `Htek (?P<model>\S+)(?:\s+V?(?P<ver>\d+(?:\.\d+)+))?(?:\s+` + macExpr + `)?\s*$`, agent: hw("Htek")},
		{prefix: "sangoma ", ctx: both, expr: `Sangoma (?P<model>[A-Z]\d+\w*) V?(?P<ver>\d[\d.]*)(?:\s+` + macExpr + `)?`, agent: hw("Sangoma")},
		{prefix: "flyingvoice", ctx: both, expr: `Flyingvoice (?P<model>\S+) V?(?P<ver>\d[\d.]*)(?: ` + macExpr + `)?`, agent: hw("Flyingvoice")},
		{prefix: "panasonic", ctx: both, expr: `Panasonic[_-](?P<model>[A-Z]+-\w+)/(?P<ver>[\d.]+)(?: \(` + macExpr + `\))?`, agent: hw("Panasonic")},
		{prefix: "audc-", ctx: both, expr: `AUDC-IPPhone/(?P<ver>\S+) \((?P<model>\w+)(?:-Rev\d+)?; ` + macExpr + `\)`, agent: hw("AudioCodes")},
		{prefix: "audiocodes", ctx: both, expr: `Audiocodes-Sip-Gateway-(?P<model>M[A-Z]*-?\d+)[^/]*/v\.(?P<ver>\S+)`, agent: hw("AudioCodes")},
		{prefix: "smartnode", ctx: both, expr: `SmartNode \(Model:(?P<model>[^/;]+)[^;]*; Serial:` + macExpr + `; Software Version:(?P<ver>\S+)`, agent: hw("Patton")},
		{prefix: "obihai/", ctx: both, expr: `OBIHAI/(?P<model>\w+)-(?P<ver>[\d.]+)`, agent: hw("Obihai")},
		{prefix: "algo-", ctx: both, expr: `Algo-(?P<model>\w+)/(?P<ver>\S+)`, agent: hw("Algo")},
		{prefix: "ipdect/", ctx: both, expr: `(?P<model>IPDECT)/(?P<ver>\S+)(?: \(MAC=` + macExpr + `)?`, agent: hw("RTX")},
		{prefix: "openstage_", ctx: both, expr: `OpenStage_(?P<model>\w+?)_(?P<ver>V\d+ R[\d.]+)`, agent: hw("Unify"), fix: func(a *Agent) { a.Model = "OpenStage " + a.Model }},
		{prefix: "avm ", ctx: both, expr: `AVM (?P<model>FRITZ!Box.*?) (?P<ver>\d+\.\d+\.\d+)`, agent: hw("AVM")},
		{prefix: "axis ", ctx: both, expr: `AXIS (?P<model>\S+)`, agent: hw("Axis")},
	}
}
