package templates

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// Gap is a value of a setting that the built-in files of a vendor cannot say.
type Gap struct {
	Key     string // setting of the schema: keys.#.type
	Value   string // as the schema spells it; of a list one item
	Like    string // value that the phone is told instead; empty: nothing
	Instead string // what comes of it, as the end of a sentence
}

// gaps are the values that the vendors' parameters, as far as the facts name them,
// have no word for. A test in provision renders every value and holds the table to
// what it sees.
var gaps = map[phone.Vendor][]Gap{
	phone.Polycom: {
		{Key: "codecs", Value: "g726", Instead: "it is left out"},
		{Key: "codecs", Value: "g723", Instead: "it is left out"},
		{Key: "keys.#.type", Value: "park", Like: "speeddial", Instead: "the key is a speed dial"},
		{Key: "keys.#.type", Value: "dtmf", Like: "none", Instead: "the key does nothing"},
	},
	phone.Yealink: {
		{Key: "language", Value: "nl", Instead: "they stay at their own"},
	},
}

// Gaps are the values of a setting that the files of a vendor cannot say.
func Gaps(v phone.Vendor, key string) []Gap {
	var out []Gap
	for _, g := range gaps[v] {
		if g.Key == key {
			out = append(out, g)
		}
	}
	return out
}

// Overruled names two settings of which the vendor's files can say one alone, and the
// one that they say; empty: there are none.
func Overruled(v phone.Vendor) (setting, by string) {
	switch v {
	case phone.Polycom:
		return "provisioning.interval", "provisioning.daily"
	case phone.Grandstream:
		return "provisioning.daily", "provisioning.interval"
	}
	return "", ""
}

// Asked is a setting with its value, for phones of a vendor.
type Asked struct {
	Vendor phone.Vendor
	Model  string // as the inventory spells it; empty: any
	Key    string // of the schema
	Line   int    // 0: all lines, or not a line's
	Value  string // as the schema spells it
}

// Unsaid says of what is asked for what the files cannot say: sentences without their
// subject, which is phones of the vendor. None: they say all of it.
func Unsaid(a Asked) (predicates []string) {
	items := strings.Split(a.Value, ",")
	for _, g := range Gaps(a.Vendor, a.Key) {
		if slices.Contains(items, g.Value) {
			predicates = append(predicates, fmt.Sprintf("have no %s; %s", g.Value, g.Instead))
		}
	}
	switch a.Vendor {
	case phone.Polycom:
		if a.Line > 1 && (a.Key == "codecs" || a.Key == "dtmf") {
			predicates = append(predicates, "have one "+a.Key+" for all lines; that of line 1 counts")
		}
	case phone.Grandstream:
		predicates = append(predicates, unsaidByGrandstream(a, items)...)
	}
	return predicates
}

// unsaidByGrandstream knows the units and the places that P-values have.
func unsaidByGrandstream(a Asked, items []string) (predicates []string) {
	say := func(format string, args ...any) { predicates = append(predicates, fmt.Sprintf(format, args...)) }
	account := accountOfModel(a.Model, cmp.Or(a.Line, 2)) // the second has the fewest parameters
	if account == nil {
		say("have no parameters for line %d; it is left out", a.Line)
		return predicates
	}
	switch a.Key {
	case "codecs":
		places := 0
		for _, name := range account.Codecs {
			if name != "" {
				places++
			}
		}
		if len(items) > places {
			say("have %d places for codecs; %s is left out", places, strings.Join(items[places:], ","))
		}
	case "expires":
		if seconds, err := strconv.Atoi(a.Value); err == nil && seconds%60 != 0 {
			say("count in minutes; it is %d seconds", seconds/60*60)
		}
	case "provisioning.daily":
		if hour, minute, _ := strings.Cut(a.Value, ":"); minute != "00" {
			say("know the hour alone; it is %s:00", hour)
		}
	case "firmware.url":
		if strings.HasPrefix(strings.ToLower(a.Value), "ftp:") {
			say("have no FTP for firmware; they are told HTTP")
		}
	case "label", "ring", "voicemail.number":
		if account.Label == "" {
			say("have no parameter for it on the %s; it is left out", a.Model)
		}
	}
	return predicates
}
