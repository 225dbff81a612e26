package settings

import "pbx.dev/dialtone/internal/phone"

// Stack is all layers below the phones' own settings at one moment. It never
// changes. The nil Stack has none.
type Stack struct {
	layers   map[string]map[string]string // by LayerName
	revision int64
}

// NewStack takes over layers; revision is another one whenever they differ.
func NewStack(revision int64, layers []phone.Layer) *Stack {
	s := &Stack{layers: make(map[string]map[string]string, len(layers)), revision: revision}
	for _, l := range layers {
		s.layers[LayerName(l.Scope, l.Name)] = l.Settings
	}
	return s
}

// Find returns the settings of a layer, nil when there is none.
func (s *Stack) Find(scope, name string) map[string]string {
	if s == nil || len(s.layers) == 0 {
		return nil
	}
	return s.layers[LayerName(scope, name)]
}

// Revision is another one whenever a layer changed.
func (s *Stack) Revision() int64 {
	if s == nil {
		return 0
	}
	return s.revision
}

// Effective merges the layers of a phone over base, the lowest of all, which may be
// nil; model is the spelling that layers are named by.
func (s *Stack) Effective(d phone.Device, model string, base map[string]string) Effective {
	layers := Of(d, model, s.Find)
	if len(base) > 0 {
		layers = append([]Layer{{ServerLayer, base}}, layers...)
	}
	e := Merge(layers...)
	for name, v := range e {
		if v.Layer != PhoneLayer {
			continue
		}
		if r, ok := Lookup(name); ok && r.Line > 0 {
			e[name] = Value{v.Text, LineLayer}
		}
	}
	return e
}
