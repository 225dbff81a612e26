package settings

import (
	"maps"
	"slices"
	"strings"
)

// The operators of a layer, at the end of a name. No setting and no parameter of a
// vendor can have such a name.
const (
	opAppend = "+" // "codecs+": the value is added to what lower layers have
	opUnset  = "-" // "keys-": what lower layers have under this name and below it is gone; the value is empty
)

// Layer is one set of settings with the name it is shown by: "global", "site/Berlin".
type Layer struct {
	Name     string
	Settings map[string]string
}

// Value is the text of a setting and the name of the layer that it came from; the
// last one, when several added to it.
type Value struct {
	Text, Layer string
}

// Effective is what a phone gets: settings and vendor parameters by name.
type Effective map[string]Value

// SplitOp takes the operator off a name.
func SplitOp(name string) (bare, op string) {
	last := len(name) - 1
	if last < 1 || name[last] != opAppend[0] && name[last] != opUnset[0] {
		return name, ""
	}
	return name[:last], name[last:]
}

// Merge lays layers over each other, the lowest first. Within one layer the order
// is: unset, replace, append.
func Merge(layers ...Layer) Effective {
	size := 0
	for _, l := range layers {
		size += len(l.Settings)
	}
	out := make(Effective, size)
	for _, l := range layers {
		var ops []string
		for name := range l.Settings {
			if _, op := SplitOp(name); op != "" {
				ops = append(ops, name)
			}
		}
		out.apply(l, ops)
	}
	return out
}

func (e Effective) apply(l Layer, ops []string) {
	slices.Sort(ops)
	for _, name := range ops {
		if bare, op := SplitOp(name); op == opUnset {
			delete(e, bare)
			maps.DeleteFunc(e, func(k string, _ Value) bool { return strings.HasPrefix(k, bare+".") })
		}
	}
	for name, text := range l.Settings {
		if _, op := SplitOp(name); op == "" {
			e[name] = Value{text, l.Name}
		}
	}
	for _, name := range ops {
		bare, op := SplitOp(name)
		if op != opAppend {
			continue
		}
		if old, ok := e[bare]; ok && old.Text != "" {
			e[bare] = Value{old.Text + "," + l.Settings[name], l.Name}
		} else {
			e[bare] = Value{l.Settings[name], l.Name}
		}
	}
}
