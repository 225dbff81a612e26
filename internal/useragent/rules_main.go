package useragent

import "strings"

// mainRules are the vendors whose files dialtone renders.
// Source of every expression: phone-facts/README.md section 1.
func mainRules() []rule {
	polycom := Agent{Vendor: "Polycom", Type: Hardware}
	yealink := Agent{Vendor: "Yealink", Type: Hardware}
	grandstream := Agent{Vendor: "Grandstream", Type: Hardware}
	// UCS 5.4 to 5.8 puts "Polycom/<version> " before the product.
	const poly = `(?:FileTransport )?(?:Polycom/[\d.]+ )?(?P<vendor>Polycom|Poly)[a-z]*-(?P<model>[\w+]+)-UA/` +
		`(?P<ver>[\d.]+)(?:_` + macExpr + `)?(?: \(SN:` + macExpr + `\))?(?: Type/(?:Application|Updater))?\s*$`
	return []rule{
		{prefix: "poly", ctx: both, expr: poly, agent: polycom, fix: polyModel},
		{prefix: "filetransport poly", ctx: both, expr: poly, agent: polycom, fix: polyModel},
		// Video systems: "PolycomHDX8000HD/3.1.7", "Polycom HDX 9006 (Release - 3.0.6-37004)".
		{prefix: "polycom", ctx: both, expr: `Polycom ?HDX ?(?P<model>\d+)\w*(?:/| \(Release - )(?P<ver>[\d.-]+)`, agent: polycom, fix: hdx},

		// The third token may be a hardware version instead of a MAC.
		{prefix: "yealink", ctx: both, expr: `Yealink[ -](?:SIP(?: VP)?-)?(?P<model>[A-Z0-9_-]+?)\s+(?P<ver>\d+\.\d+\.\d+\.\d+)(?:\s+` + macExpr + `\s*$|\s|$)`, agent: yealink},
		{prefix: "tiptel", ctx: both, expr: `Tiptel (?P<model>IP \S+)\s+(?P<ver>\d+\.\d+\.\d+\.\d+)(?:\s+` + macExpr + `)?`, agent: Agent{Vendor: "Tiptel (Yealink OEM)", Type: Hardware}},

		{prefix: "grandstream model hw ", ctx: both, expr: `Grandstream Model HW (?P<model>\S+)\s+(?:V\S+\s+)?SW (?P<ver>\d[\d.]*)(?:\s+DevId ` + macExpr + `)?`, agent: grandstream},
		{prefix: "grandstream ucm", ctx: both, expr: `Grandstream (?P<model>UCM\d+[A-UW-Z]?)(?:V\S+)?\s+(?:V\S+\s+)?(?P<ver>\d[\d.]*)`, agent: grandstream, fix: func(a *Agent) { a.Model += " (PBX)" }},
		{prefix: "grandstream wave", ctx: both, expr: `Grandstream (?P<model>Wave)\b\s*(?P<ver>\d[\d.]*)?`, agent: Agent{Vendor: "Grandstream", Type: Mobile}},
		// Legacy: "Grandstream BT200 (bt200e.bin:1.1.6.46/boot55e.bin:1.1.6.6)".
		{prefix: "grandstream", ctx: both, expr: `Grandstream (?P<model>\S+) \([^:)]+:(?P<ver>\d[\d.]*)/[^)]*\)(?:\s+DevId ` + macExpr + `)?`, agent: grandstream},
		{prefix: "grandstream", ctx: both, expr: `Grandstream (?P<model>\S+)\s+(?:V\S+\s+)?(?P<ver>\d[\d.]*)(?:\s+(?:DevId )?` + macExpr + `|\s|$)`, agent: grandstream},
	}
}

// polyModel turns the product token into the display form.
func polyModel(a *Agent) {
	if len(a.Vendor) == len("Poly") {
		a.Vendor = "Poly"
	} else {
		a.Vendor = "Polycom"
	}
	family, number, ok := strings.Cut(a.Model, "_")
	if !ok {
		return
	}
	switch strings.ToUpper(family) {
	case "SPIP":
		family = "SoundPoint IP"
	case "SSIP":
		family = "SoundStation IP"
	}
	a.Model = family + " " + strings.ReplaceAll(number, "_", " ")
}

func hdx(a *Agent) { a.Model = "HDX " + a.Model }

// fallbackRules run last: texts whose first word does not tell the vendor, and
// a vendor's name alone.
func fallbackRules() []rule {
	yealink := Agent{Vendor: "Yealink", Type: Hardware}
	hardware := func(prefix, vendor string) rule {
		return rule{prefix: prefix, ctx: both, expr: ``, agent: Agent{Vendor: vendor, Type: Hardware}}
	}
	return []rule{
		// Old firmware of the VP530 and W52P leaves "Yealink" out.
		{ctx: both, expr: `(?:SIP(?: VP)?-)?(?P<model>(?:VP|CP|AX|W|T)\d+[A-Z0-9_]*)\s+(?P<ver>\d+\.\d+\.\d+\.\d+)(?:\s+` + macExpr + `)?\s*$`, agent: yealink},
		// Some Linksys put the MAC in front: "001310E72B51 Linksys/RT31P2-3.1.6(LI)".
		{ctx: both, expr: macExpr + ` (?:Cisco|Linksys)/(?P<model>\w+(?:-[a-z0-9]+)?)-(?P<ver>\d+(?:\.\d+)+\w*(?:\(\w+\))?)`, agent: Agent{Vendor: "Cisco", Type: Hardware}},
		{ctx: both, expr: `.*\bsipML5-v(?P<ver>[\d.]+)`, agent: Agent{Vendor: "sipML5", Type: WebRTC}},
		hardware("filetransport poly", "Polycom"),
		hardware("polycom", "Polycom"),
		hardware("yealink", "Yealink"),
		hardware("grandstream", "Grandstream"),
		hardware("cisco", "Cisco"),
		hardware("linksys", "Cisco"),
		hardware("snom", "Snom"),
		hardware("fanvil", "Fanvil"),
		hardware("htek", "Htek"),
		hardware("gigaset", "Gigaset"),
		hardware("aastra", "Aastra"),
		hardware("mitel", "Mitel"),
		hardware("panasonic", "Panasonic"),
		hardware("avaya", "Avaya"),
	}
}
