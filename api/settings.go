package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
)

// secretMask stands for a secret that the key may not read, and in a request for the
// one that is stored already.
const secretMask = "********"

func (s *server) settingsRoutes() []route {
	return []route{
		{"GET", base + "/settings", phonesRead, s.listLayers},
		{"GET", base + "/settings/schema", phonesRead, s.settingsSchema},
		{"GET", base + "/settings/uses", phonesRead, s.settingUses},
		{"GET", base + "/settings/global", phonesRead, s.getLayer},
		{"PUT", base + "/settings/global", phonesWrite, s.putLayer},
		{"DELETE", base + "/settings/global", phonesWrite, s.deleteLayer},
		{"GET", base + "/settings/{scope}/{name}", phonesRead, s.getLayer},
		{"PUT", base + "/settings/{scope}/{name}", phonesWrite, s.putLayer},
		{"DELETE", base + "/settings/{scope}/{name}", phonesWrite, s.deleteLayer},
		{"GET", base + "/phones/{id}/settings", phonesRead, s.phoneSettings},
	}
}

// layerAnswer is a layer as answers show it.
type layerAnswer struct {
	Scope     string            `json:"scope"`
	Name      string            `json:"name,omitempty"`
	Settings  map[string]string `json:"settings"`
	Revision  int64             `json:"revision"`
	UpdatedAt time.Time         `json:"updatedAt,omitzero"`
	Warnings  []string          `json:"warnings,omitempty"`
}

// layerOf shows the secrets of a layer only to a key that may write them, and only if
// they are wanted; the audit trail says so then.
func layerOf(r *http.Request, l phone.Layer, wanted bool) layerAnswer {
	a := layerAnswer{Scope: l.Scope, Name: l.Name, Revision: l.Revision, UpdatedAt: stamp(l.UpdatedAt), Settings: map[string]string{}}
	shown := wanted && slices.Contains(infoOf(r).key.Scopes, phonesWrite)
	for name, text := range l.Settings {
		switch secret := settings.IsSecret(name) && text != ""; {
		case secret && shown:
			noteSecret(r, "settings")
		case secret:
			text = secretMask
		}
		a.Settings[name] = text
	}
	return a
}

// scopeOf reads which layer a path means; a name is brought to the one spelling
// that layers of its scope have.
func scopeOf(r *http.Request) (scope, name string, err error) {
	scope, name = mux.Vars(r)["scope"], mux.Vars(r)["name"]
	switch {
	case scope == "":
		return "global", "", nil
	case scope == "global" || !slices.Contains(settings.Scopes(), scope):
		return "", "", missing("scope of settings")
	case scope == "vendor":
		v := catalog.CanonicalVendor(name)
		if !slices.Contains(phone.Vendors(), v) {
			return "", "", missing("vendor")
		}
		name = string(v)
	case scope == "model":
		if m, ok := catalog.Lookup("", name); ok {
			name = m.Code
		}
	}
	return scope, strings.TrimSpace(name), nil
}

// secretsWanted reads the one parameter of a call that reads layers: false masks what
// the key may see.
func secretsWanted(r *http.Request) (bool, error) {
	q, err := newQuery(r)
	if err != nil {
		return false, err
	}
	v := q.truth("secrets")
	return v == nil || *v, q.err()
}

// listLayers answers GET /v1/pbx/settings.
func (s *server) listLayers(w http.ResponseWriter, r *http.Request) error {
	wanted, err := secretsWanted(r)
	if err != nil {
		return err
	}
	list, _, err := s.Layers.Layers(r.Context())
	if err != nil {
		return err
	}
	out := make([]layerAnswer, 0, len(list))
	for _, l := range list {
		out = append(out, layerOf(r, l, wanted))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"layers": out})
}

// settingsSchema answers GET /v1/pbx/settings/schema.
func (s *server) settingsSchema(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	type entry struct {
		settings.Spec
		NoEffect []string `json:"noEffect,omitempty"` // vendors by display name
	}
	var out []entry
	for _, spec := range settings.Schema() {
		e := entry{Spec: spec}
		for _, v := range phone.Vendors() {
			if !s.HasEffect(v, spec.Key) {
				e.NoEffect = append(e.NoEffect, v.DisplayName())
			}
		}
		out = append(out, e)
	}
	layers := append(settings.Scopes(), settings.PhoneLayer, settings.LineLayer)
	return writeJSON(w, http.StatusOK, map[string]any{"layers": layers, "settings": out})
}

// getLayer answers GET of one layer. Of global there is always one, if empty.
func (s *server) getLayer(w http.ResponseWriter, r *http.Request) error {
	scope, name, err := scopeOf(r)
	if err != nil {
		return err
	}
	wanted, err := secretsWanted(r)
	if err != nil {
		return err
	}
	l, err := s.Layers.Layer(r.Context(), scope, name)
	if err != nil && (scope != "global" || !errors.Is(err, phone.ErrNotFound)) {
		return absent("layer of settings", err)
	}
	l.Scope, l.Name = scope, name
	w.Header().Set("ETag", layerTag(l))
	return writeJSON(w, http.StatusOK, layerOf(r, l, wanted))
}

// putLayer answers PUT of one layer: {"settings": {...}} is all that it has then.
func (s *server) putLayer(w http.ResponseWriter, r *http.Request) error {
	scope, name, err := scopeOf(r)
	if err == nil {
		err = noQuery(r)
	}
	if err != nil {
		return err
	}
	doc, err := readObject(w, r, jsonType)
	if err != nil {
		return err
	}
	settingsAsText(doc)
	in, err := decode[struct {
		Settings map[string]string `json:"settings"`
	}](doc)
	if err != nil {
		return err
	}
	var warnings []string
	l, err := s.Layers.PutLayer(r.Context(), scope, name, func(l *phone.Layer) error {
		if err := unchanged(r, layerTag(*l)); err != nil {
			return err
		}
		if err := keepSecrets(in.Settings, l.Settings); err != nil {
			return err
		}
		var err error
		warnings, err = s.CheckLayer(scope, name, in.Settings)
		l.Settings = in.Settings
		return err
	}, sameModel(scope, name))
	if err != nil {
		return err
	}
	a := layerOf(r, l, true)
	a.Warnings = warnings
	s.logWarnings(r, "layer "+settings.LayerName(scope, name), warnings)
	w.Header().Set("ETag", layerTag(l))
	return writeJSON(w, http.StatusOK, a)
}

// keepSecrets puts what is stored where a document that was read without the right
// to see secrets has the mask.
func keepSecrets(given, stored map[string]string) error {
	for name, text := range given {
		if text != secretMask || !settings.IsSecret(name) {
			continue
		}
		if stored[name] == "" {
			return phone.Invalid("settings."+name, "is the mask of a secret, and none is stored")
		}
		given[name] = stored[name]
	}
	return nil
}

func (s *server) deleteLayer(w http.ResponseWriter, r *http.Request) error {
	scope, name, err := scopeOf(r)
	if err == nil {
		err = noQuery(r)
	}
	if err != nil {
		return err
	}
	err = s.Layers.DeleteLayer(r.Context(), scope, name, func(l phone.Layer) error {
		return unchanged(r, layerTag(l))
	}, sameModel(scope, name))
	if err != nil {
		return absent("layer of settings", err)
	}
	return noContent(w)
}

// sameModel tells the store which phones a model's layer is for.
func sameModel(scope, name string) func(phone.Vendor, string) bool {
	return func(v phone.Vendor, model string) bool {
		if scope != "model" {
			return false
		}
		if m, ok := catalog.Lookup(string(v), model); ok {
			return m.Code == name
		}
		return strings.TrimSpace(model) == name
	}
}

// effectiveValue is one setting of a phone with where it comes from.
type effectiveValue struct {
	Value string `json:"value"`
	Layer string `json:"layer"`
	Raw   bool   `json:"raw,omitempty"` // a vendor's own parameter
}

// phoneSettings answers GET /v1/pbx/phones/{id}/settings: what the layers make of a
// phone. Secrets are never shown here.
func (s *server) phoneSettings(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	d, err := s.Devices.Device(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return absent("provisioned phone", err)
	}
	out := map[string]effectiveValue{}
	for name, v := range s.Effective(d) {
		_, known := settings.Lookup(name)
		e := effectiveValue{Value: v.Text, Layer: v.Layer, Raw: !known}
		if settings.IsSecret(name) && v.Text != "" {
			e.Value = secretMask
		}
		out[name] = e
	}
	_, known := catalog.Lookup(string(d.Vendor), d.Model)
	warnings, err := s.CheckPhone(d)
	if err != nil { // stored before the check knew better
		warnings = append(warnings, strings.Split(err.Error(), "\n")...)
	}
	if s.LayerWarnings != nil {
		warnings = append(warnings, s.LayerWarnings(d)...)
	}
	return writeJSON(w, http.StatusOK, map[string]any{
		"settings": out, "modelKnown": known, "warnings": append([]string{}, warnings...),
	})
}

// settingsAsText turns the numbers and booleans of a document's settings into their
// text, which is what settings are.
func settingsAsText(doc map[string]any) {
	object, _ := doc["settings"].(map[string]any)
	for name, v := range object {
		switch v := v.(type) {
		case bool:
			object[name] = strconv.FormatBool(v)
		case json.Number:
			object[name] = v.String()
		}
	}
}
