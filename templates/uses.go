package templates

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Use is a place that reads a setting: to write it or to decide by it.
type Use struct {
	File     string // "yealink/phone", "yealink/parts"
	Line     int    // 1 is the first
	Template string // the variant it stands in; empty: the built-in one
	Revision int64  // of the variant
}

// use notes that what stands at a place reads a setting.
func (c *compiler) use(setting string, at position) {
	if c.uses == nil {
		return
	}
	if c.uses[setting] == nil {
		c.uses[setting] = map[Use]bool{}
	}
	c.uses[setting][Use{File: at.name, Line: at.line}] = true
}

// Uses lists where the files of s read a setting. The name is one of the schema,
// with numbers or "#", or "vars.NAME".
func (s *Set) Uses(setting string) []Use {
	all := s.traced().uses
	found := map[Use]bool{}
	key := strings.ReplaceAll(shapeOf(setting), ".N.", ".#.")
	for _, name := range []string{key, "lines.#." + key} {
		maps.Copy(found, all[name])
	}
	if rest, ok := strings.CutPrefix(key, "modules.#."); ok { // the same parts write both
		maps.Copy(found, all[rest])
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b Use) int { return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line) })
}

// Uses lists where the templates in use read a setting: the built-in ones, then
// what variants bring.
func (l *Library) Uses(setting string) []Use {
	out := l.base.Uses(setting)
	for _, file := range slices.Sorted(maps.Keys(l.variants)) {
		for _, v := range l.variants[file] {
			for _, u := range v.set.Uses(setting) {
				if u.File == file {
					u.Template, u.Revision = v.Name, v.Revision
					out = append(out, u)
				}
			}
		}
	}
	return out
}
