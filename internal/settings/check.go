package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"pbx.dev/dialtone/internal/phone"
)

// Check reports every setting of a layer that cannot be, as phone.FieldErrors for
// "settings.NAME" joined, and returns the names that the schema does not know:
// they are a vendor's parameters or mistakes.
func Check(layer map[string]string) (raw []string, err error) {
	var all []error
	for _, name := range slices.Sorted(maps.Keys(layer)) {
		known, err := checkOne(name, layer[name])
		if err != nil {
			all = append(all, Field(name, err))
		}
		if !known {
			raw = append(raw, name)
		}
	}
	return raw, errors.Join(all...)
}

func checkOne(name, text string) (known bool, err error) {
	bare, op := SplitOp(name)
	ref, known := Lookup(bare)
	switch {
	case op == opUnset:
		if text != "" {
			return true, errors.New("takes nothing away with a value; leave it empty")
		}
		return true, nil // any name or the beginning of names: what is not there is gone already
	case op == opAppend && (!known || ref.Spec.Type != List):
		return true, errors.New("only lists can be added to")
	case !known:
		return false, nil
	}
	_, err = ref.Spec.Parse(text)
	return true, err
}

// CheckScope refuses what only a phone's own settings can hold.
func CheckScope(layer map[string]string) error {
	for name := range layer {
		if bare, _ := SplitOp(name); bare == "group" {
			return phone.Invalid("settings."+name, "a phone's own settings say which group it is in")
		}
	}
	return nil
}

// Scopes are the kinds of layers below a phone's own settings, the lowest first.
var scopes = []string{"global", "site", "vendor", "model", "group"}

// Scopes lists the kinds of layers below a phone's own settings, the lowest first.
func Scopes() []string { return slices.Clone(scopes) }

// LayerName is how a layer is shown: "global", "site/Berlin".
func LayerName(scope, name string) string {
	if name == "" {
		return scope
	}
	return fmt.Sprintf("%s/%s", scope, name)
}

// The layers that have no scope: what the server says of itself, a phone's own
// settings, and those of one line among them.
const (
	ServerLayer = "server"
	PhoneLayer  = "phone"
	LineLayer   = "line"
)

// Of lists the layers of a phone, lowest first. find returns the settings of a
// layer, nil when there is none; model is the spelling that layers are named by.
func Of(d phone.Device, model string, find func(scope, name string) map[string]string) []Layer {
	out := make([]Layer, 0, len(scopes)+1)
	for _, s := range []struct{ scope, name string }{
		{"global", ""}, {"site", d.Site}, {"vendor", string(d.Vendor)}, {"model", model}, {"group", d.Settings["group"]},
	} {
		if s.name == "" && s.scope != "global" {
			continue
		}
		if set := find(s.scope, s.name); len(set) > 0 {
			out = append(out, Layer{LayerName(s.scope, s.name), set})
		}
	}
	return append(out, Layer{PhoneLayer, d.Settings})
}

// IsSecret reports whether a name of a layer is that of a secret: a setting of that
// type, or a vendor parameter that looks like one.
func IsSecret(name string) bool {
	bare, _ := SplitOp(name)
	if r, ok := Lookup(bare); ok {
		return r.Spec.Type == Secret
	}
	return phone.SecretParam(bare)
}
