package provision

import (
	"strings"
	"sync"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
)

// effects remembers which settings change the files of which vendor, for the
// templates in use.
type effects struct {
	mu       sync.Mutex
	revision func() string
	seen     string // revision that known belongs to
	known    map[phone.Vendor]map[string]bool
}

func (e *effects) of(v phone.Vendor, key string, render func(phone.Vendor, map[string]string) string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := e.revision(); e.known == nil || e.seen != now {
		e.seen, e.known = now, map[phone.Vendor]map[string]bool{}
	}
	if e.known[v] == nil {
		e.known[v] = effective(v, render)
	}
	return e.known[v][key]
}

// effective renders with each setting of the schema and without it.
func effective(v phone.Vendor, render func(phone.Vendor, map[string]string) string) map[string]bool {
	out := map[string]bool{}
	for _, spec := range settings.Schema() {
		with := Sample(spec)
		without := Sample(spec)
		for name := range with {
			if ref, ok := settings.Lookup(name); ok && ref.Spec.Key == spec.Key {
				delete(without, name)
			}
		}
		out[spec.Key] = render(v, with) != render(v, without)
	}
	return out
}

// Sample is a phone's settings with the example of one setting and what it needs
// beside it: a key's label shows only on a key that does something.
func Sample(spec settings.Spec) map[string]string {
	name := strings.ReplaceAll(spec.Key, "#", "1")
	out := map[string]string{}
	if key, ok := strings.CutSuffix(name, name[strings.LastIndexByte(name, '.')+1:]); ok && strings.Contains(spec.Key, "#") {
		out[key+"type"], out[key+"value"] = "blf", "101"
	}
	if name == "pickup" {
		out["keys.1.type"], out["keys.1.value"] = "blf", "101"
	}
	out[name] = spec.Example
	return out
}
