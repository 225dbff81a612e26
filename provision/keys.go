package provision

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/templates"
)

// keyRows collects the keys of a phone; the place of a row is module and number.
type keyRows struct {
	most      int  // keys that the model has; -1: not known
	modules   int  // expansion modules that it takes; 0: not known
	perModule int  // keys of one; 0: not known
	noModules bool // it takes none
	zeroBased bool // the phone counts its lines from 0
	rowsByPlace
}

type rowsByPlace map[[2]int]*templates.Key

// limit keeps to what the model has: a layer for many phones may have more keys
// than this one.
func (k *keyRows) limit(d phone.Device) {
	k.most = -1
	if m, ok := catalog.Lookup(string(d.Vendor), d.Model); ok {
		k.most, k.noModules = m.Keys(), m.NoModules()
		k.modules, k.perModule = m.ModuleLimits()
		// phone-facts/README.md 2.2 [V WZ].
		k.zeroBased = m.Code == "T32G" || m.Code == "T38G"
	}
}

// has reports whether the model has the key of ref, as far as the catalogue knows.
func (k *keyRows) has(ref settings.Ref) bool {
	if ref.Module == 0 {
		return k.most < 0 || ref.Key <= k.most
	}
	return !k.noModules && (k.modules == 0 || ref.Module <= k.modules) && (k.perModule == 0 || ref.Key <= k.perModule)
}

func (k *keyRows) set(ref settings.Ref, text string) {
	if !k.has(ref) {
		return
	}
	if k.rowsByPlace == nil {
		k.rowsByPlace = rowsByPlace{}
	}
	place := [2]int{ref.Module, ref.Key}
	row, ok := k.rowsByPlace[place]
	if !ok {
		row = &templates.Key{Module: ref.Module, Number: ref.Key}
		k.rowsByPlace[place] = row
	}
	switch ref.Spec.Key[strings.LastIndexByte(ref.Spec.Key, '.')+1:] {
	case "type":
		row.Type = text
	case "value":
		row.Value = text
	case "label":
		row.Label = text
	case "line":
		row.Line, _ = strconv.Atoi(text)
	}
}

// rows gives the keys in order. A key without a type is a speed dial when it has a
// value; one that has nothing but a label is none.
func (k *keyRows) rows(pickup string) (own, modules []templates.Key) {
	if len(k.rowsByPlace) == 0 {
		return nil, nil
	}
	all := make([]templates.Key, 0, len(k.rowsByPlace))
	for _, row := range k.rowsByPlace {
		if row.Type == "" {
			row.Type = "none"
			if row.Value != "" {
				row.Type = "speeddial"
			}
		}
		if row.Line == 0 {
			row.Line = 1
			if row.Type == "line" && row.Module == 0 {
				row.Line = row.Number
			}
		}
		if k.zeroBased {
			row.Line--
		}
		if row.Type == "blf" && pickup != "" {
			row.Pickup = pickup + row.Value
		}
		all = append(all, *row)
	}
	slices.SortFunc(all, func(a, b templates.Key) int {
		return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Number, b.Number))
	})
	lamps := 0
	for i := range all {
		if all[i].Module == 0 && all[i].Type == "blf" {
			lamps++
			all[i].Lamp = lamps
		}
	}
	i := slices.IndexFunc(all, func(r templates.Key) bool { return r.Module > 0 })
	if i < 0 {
		i = len(all)
	}
	return all[:i:i], all[i:]
}

// checkKey refuses a key that the model has not.
func checkKey(m catalog.Model, ref settings.Ref) error {
	if most := m.Keys(); ref.Key > 0 && ref.Module == 0 && most >= 0 && ref.Key > most {
		return fmt.Errorf("the %s has %s", m.Name, count(most, "key"))
	}
	modules, keys := m.ModuleLimits()
	switch {
	case ref.Module > 0 && m.NoModules():
		return fmt.Errorf("the %s takes no expansion modules", m.Name)
	case modules > 0 && ref.Module > modules:
		return fmt.Errorf("the %s takes %s", m.Name, count(modules, "expansion module"))
	case keys > 0 && ref.Module > 0 && ref.Key > keys:
		return fmt.Errorf("an expansion module of the %s has %s", m.Name, count(keys, "key"))
	}
	return nil
}

// keyTypeOf is the type of the key that ref is part of, as rows would have it, when
// set says what it does; false for other settings and for all but one part of a key.
func keyTypeOf(set map[string]string, name string, ref settings.Ref) (string, bool) {
	place, part := name[:strings.LastIndexByte(name, '.')+1], name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case ref.Key == 0:
		return "", false
	case part == "type":
		return strings.ToLower(set[name]), true
	case part == "value":
		_, typed := set[place+"type"]
		return "speeddial", !typed
	}
	return "", false
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
