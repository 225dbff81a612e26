package templates

import (
	_ "embed"
	"strings"
	"sync"

	"pbx.dev/dialtone/internal/phone"
)

// The names of parameters that public sources know, from phone-facts/params; see
// data/SOURCES.md.
var (
	//go:embed data/polycom_params_all.txt
	polycomParams string
	//go:embed data/yealink_params_all.txt
	yealinkParams string
	//go:embed data/grandstream_pvalues_all.txt
	grandstreamParams string
)

var knownParams = sync.OnceValue(func() map[phone.Vendor]map[string]bool {
	out := map[phone.Vendor]map[string]bool{}
	for v, list := range map[phone.Vendor]string{
		phone.Polycom: polycomParams, phone.Yealink: yealinkParams, phone.Grandstream: grandstreamParams,
	} {
		names := map[string]bool{}
		for name := range strings.FieldsSeq(list) {
			names[shapeOf(name)] = true
		}
		out[v] = names
	}
	return out
})

// KnownParam reports whether a public list has a parameter of the vendor by this
// name, whatever its numbers. That a list has it does not prove that one model
// takes it; that none has it is a strong sign of a mistake.
func KnownParam(v phone.Vendor, name string) bool {
	names := knownParams()[v]
	if v == phone.Grandstream {
		return names[name]
	}
	return names[shapeOf(name)]
}

// shapeOf writes every segment that is a number, or that a list has as a letter for
// one, as N.
func shapeOf(name string) string {
	segments := strings.Split(name, ".")
	for i, s := range segments {
		if s == "X" || s == "x" || s == "Y" || s == "y" || s != "" && strings.Trim(s, "0123456789") == "" {
			segments[i] = "N"
		}
	}
	return strings.Join(segments, ".")
}
