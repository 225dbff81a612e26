// Package settings is the vendor-neutral schema of what a phone can be told: names,
// types and documentation, how layers of settings are merged, and which layer a
// value came from. It knows no vendor's parameter; templates say how a setting
// looks to each of them.
package settings

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Type says what the text of a value must look like.
type Type string

// The types of values. Values are text in every layer; a JSON number or boolean of
// the REST API is its text.
const (
	Text    Type = "text"    // up to 128 printable characters
	Secret  Type = "secret"  // a text that is never shown again
	Host    Type = "host"    // host name or address
	Address Type = "address" // host, host:port or "off"
	Number  Type = "number"  // whole number within Min..Max
	Bool    Type = "boolean" // true, false; also on, off, yes, no, 1, 0
	Choice  Type = "choice"  // one of Choices
	List    Type = "list"    // several of Choices, by comma, best first; can be appended to
	Zone    Type = "zone"    // IANA time zone
	URL     Type = "url"     // http, https, tftp or ftp URL
	Clock   Type = "clock"   // hh:mm
	IPv4    Type = "ipv4"    // dotted quad
	Target  Type = "target"  // number to dial; empty or "off": none
)

// Spec is one setting of the schema.
type Spec struct {
	// Key is the dotted name. "#" stands for a number: lines.#.label, keys.#.type.
	Key     string   `json:"key"`
	Type    Type     `json:"type"`
	Min     int      `json:"min,omitempty"` // of a number
	Max     int      `json:"max,omitempty"`
	Unit    string   `json:"unit,omitempty"`
	Choices []string `json:"choices,omitempty"`
	// PerLine settings mean all lines, or as lines.N.KEY one of them.
	PerLine bool   `json:"perLine,omitempty"`
	Example string `json:"example"`
	Doc     string `json:"description"`
}

// firstLineOnly settings without a number mean line 1: a label is nobody else's.
func (s Spec) firstLineOnly() bool { return s.Key == "label" || s.Key == "displayName" }

// Ref is a setting named in a layer: the spec and the numbers in its name.
type Ref struct {
	Spec   *Spec
	Line   int // of lines.N; 0: all lines, or not a line's
	Module int // of modules.M; 0: the phone's own keys
	Key    int // of keys.N
}

// table finds specs by what stands in a name beside the numbers.
type table struct{ plain, keys, modules map[string]*Spec }

var index = sync.OnceValue(func() table {
	t := table{map[string]*Spec{}, map[string]*Spec{}, map[string]*Spec{}}
	for i := range schema {
		s := &schema[i]
		switch {
		case strings.HasPrefix(s.Key, keyPrefix):
			t.keys[s.Key[len(keyPrefix):]] = s
		case strings.HasPrefix(s.Key, modulePrefix):
			t.modules[s.Key[len(modulePrefix):]] = s
		default:
			t.plain[s.Key] = s
		}
	}
	return t
})

const (
	keyPrefix    = "keys.#."
	modulePrefix = "modules.#.keys.#."
)

// Schema lists all settings in the order of their documentation.
func Schema() []Spec { return slices.Clone(schema) }

// Lookup finds the setting that a name means; false when the schema has none.
func Lookup(name string) (Ref, bool) {
	t := index()
	if s, ok := t.plain[name]; ok {
		r := Ref{Spec: s}
		if s.firstLineOnly() {
			r.Line = 1
		}
		return r, true
	}
	switch {
	case strings.HasPrefix(name, "lines."):
		n, rest, ok := cutNumber(name[len("lines."):], maxLine)
		s, known := t.plain[rest]
		return Ref{Spec: s, Line: n}, ok && known && s.PerLine
	case strings.HasPrefix(name, "keys."):
		n, rest, ok := cutNumber(name[len("keys."):], maxKey)
		s, known := t.keys[rest]
		return Ref{Spec: s, Key: n}, ok && known
	case strings.HasPrefix(name, "modules."):
		m, rest, ok := cutNumber(name[len("modules."):], maxModule)
		rest, isKey := strings.CutPrefix(rest, "keys.")
		n, rest, ok2 := cutNumber(rest, maxKey)
		s, known := t.modules[rest]
		return Ref{Spec: s, Module: m, Key: n}, ok && isKey && ok2 && known
	}
	return Ref{}, false
}

// The largest numbers in names; the most that any model of the catalogue has, and
// some.
const (
	maxLine   = 250
	maxKey    = 200
	maxModule = 8
)

// cutNumber reads "12.rest" without signs or leading zeros.
func cutNumber(s string, most int) (n int, rest string, ok bool) {
	i := strings.IndexByte(s, '.')
	if i < 1 || i > 3 || s[0] == '0' {
		return 0, "", false
	}
	for _, c := range []byte(s[:i]) {
		if c < '0' || c > '9' {
			return 0, "", false
		}
		n = n*10 + int(c-'0')
	}
	return n, s[i+1:], n >= 1 && n <= most
}

// Name is how the setting of r is written with its numbers.
func (r Ref) Name() string {
	switch {
	case r.Module > 0:
		return "modules." + strconv.Itoa(r.Module) + ".keys." + strconv.Itoa(r.Key) + strings.TrimPrefix(r.Spec.Key, "modules.#.keys.#")
	case r.Key > 0:
		return "keys." + strconv.Itoa(r.Key) + strings.TrimPrefix(r.Spec.Key, "keys.#")
	case r.Line > 0:
		return "lines." + strconv.Itoa(r.Line) + "." + r.Spec.Key
	}
	return r.Spec.Key
}
