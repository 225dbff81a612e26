package api

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/templates"
)

// settingsClient drives the layers over a real store, with a check that knows two
// rules.
func settingsClient(t *testing.T) *client {
	t.Helper()
	c := newClient(t)
	o := realOptions(t, c.store, c.list)
	o.CheckLayer = func(_, _ string, layer map[string]string) ([]string, error) { return settings.Check(layer) }
	o.CheckPhone = func(d phone.Device) ([]string, error) { return settings.Check(d.Settings) }
	s, err := newServer(o)
	if err != nil {
		t.Fatal(err)
	}
	c.handler = s.around(s.router())
	return c
}

func TestLayersForReal(t *testing.T) {
	t.Parallel()
	c := settingsClient(t)
	desk := c.do(http.StatusCreated, "POST /v1/pbx/phones", `{"macAddress":"80:5e:c0:00:00:01","model":"SIP-T46S","settings":{"vlan.id":12,"lldp":true,"odd.name":"x"}}`)
	if diff := cmp.Diff([]any{"odd.name"}, desk["warnings"]); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"vlan.id": "12", "lldp": "true", "odd.name": "x"}, desk["settings"]); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	empty := c.do(http.StatusOK, "GET /v1/pbx/settings/global", "")
	if diff := cmp.Diff(map[string]any{"scope": "global", "settings": map[string]any{}, "revision": 0.0}, empty); diff != "" {
		t.Errorf("empty (-want +got):\n%s", diff)
	}
	id, _ := desk["id"].(string)
	before, _ := c.store.Device(t.Context(), id)
	put := c.do(http.StatusOK, "PUT /v1/pbx/settings/model/sip-t46s", `{"settings":{"qos.sip":26,"adminPassword":"s3cret"}}`)
	if put["name"] != "T46S" || put["revision"] != 1.0 {
		t.Errorf("stored as %v", put)
	}
	if after, _ := c.store.Device(t.Context(), id); after.Revision != before.Revision+1 {
		t.Errorf("revision %d after %d", after.Revision, before.Revision)
	}
	c.do(http.StatusOK, "PUT /v1/pbx/settings/vendor/Poly", `{"settings":{"ntp":"x"}}`)
	for query, want := range map[string]string{"": "s3cret", "?secrets=true": "s3cret", "?secrets=false": secretMask} {
		one := c.do(http.StatusOK, "GET /v1/pbx/settings/model/T46S"+query, "")
		if got := one["settings"].(map[string]any)["adminPassword"]; got != want {
			t.Errorf("%q: %v", query, got)
		}
	}
	c.do(http.StatusUnprocessableEntity, "GET /v1/pbx/settings/model/T46S?secrets=no", "")
	list := c.do(http.StatusOK, "GET /v1/pbx/settings", "")
	if layers, _ := list["layers"].([]any); len(layers) != 2 {
		t.Errorf("layers are %v", list)
	}
	bad := c.do(http.StatusUnprocessableEntity, "PUT /v1/pbx/settings/site/Berlin", `{"settings":{"qos.sip":99,"vlan.id":"x"}}`)
	text, _ := bad["errors"].([]any)
	if len(text) != 2 {
		t.Errorf("errors are %v", bad)
	}
	for call, status := range map[string]int{
		"GET /v1/pbx/settings/site/Berlin": 404, "DELETE /v1/pbx/settings/site/Berlin": 404, "GET /v1/pbx/settings/vendor/acme": 404,
		"GET /v1/pbx/settings/planet/earth": 404, "GET /v1/pbx/settings/global/x": 404, "GET /v1/pbx/phones/phone_none/settings": 404,
	} {
		c.do(status, call, "")
	}
	c.do(http.StatusNoContent, "DELETE /v1/pbx/settings/vendor/polycom", "")
	c.do(http.StatusNotFound, "GET /v1/pbx/settings/vendor/polycom", "")
}

// A key that may not write sees no secret, and cannot lose one by writing back what
// it was shown.
func TestSecretsOfLayers(t *testing.T) {
	t.Parallel()
	c := settingsClient(t)
	c.do(http.StatusOK, "PUT /v1/pbx/settings/global", `{"settings":{"adminPassword":"s3cret","P34":"raw","ntp":"x"}}`)
	writer := c.key
	_, reader, err := c.store.CreateKey(t.Context(), "reader", []string{phonesRead}, noon.AddDate(90, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	c.key = reader.Reveal()
	shown := c.do(http.StatusOK, "GET /v1/pbx/settings/global", "")
	if diff := cmp.Diff(map[string]any{"adminPassword": secretMask, "P34": secretMask, "ntp": "x"}, shown["settings"]); diff != "" {
		t.Errorf("shown to a reader (-want +got):\n%s", diff)
	}
	c.do(http.StatusForbidden, "PUT /v1/pbx/settings/global", `{"settings":{}}`)
	c.key = writer
	c.do(http.StatusOK, "PUT /v1/pbx/settings/global", `{"settings":{"adminPassword":"`+secretMask+`","ntp":"y"}}`)
	kept := c.do(http.StatusOK, "GET /v1/pbx/settings/global", "")
	if diff := cmp.Diff(map[string]any{"adminPassword": "s3cret", "ntp": "y"}, kept["settings"]); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	c.do(http.StatusUnprocessableEntity, "PUT /v1/pbx/settings/site/x", `{"settings":{"adminPassword":"`+secretMask+`"}}`)
}

func TestEffectiveSettings(t *testing.T) {
	t.Parallel()
	c := settingsClient(t)
	desk := c.do(http.StatusCreated, "POST /v1/pbx/phones", `{"macAddress":"80:5e:c0:00:00:01","model":"T99","settings":{"ntp":"mine","userPassword":"s3cret","P1":"x"}}`)
	id, _ := desk["id"].(string)
	got := c.do(http.StatusOK, "GET /v1/pbx/phones/"+id+"/settings", "")
	want := map[string]any{
		"settings": map[string]any{
			"ntp":          map[string]any{"value": "mine", "layer": "phone"},
			"userPassword": map[string]any{"value": secretMask, "layer": "phone"},
			"P1":           map[string]any{"value": secretMask, "layer": "phone", "raw": true},
		},
		"modelKnown": false, "warnings": []any{"P1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSettingsSchema(t *testing.T) {
	t.Parallel()
	c := settingsClient(t)
	got := c.do(http.StatusOK, "GET /v1/pbx/settings/schema", "")
	list, _ := got["settings"].([]any)
	if len(list) != len(settings.Schema()) {
		t.Errorf("%d settings", len(list))
	}
	if diff := cmp.Diff([]any{"global", "site", "vendor", "model", "group", "phone", "line"}, got["layers"]); diff != "" {
		t.Error(diff)
	}
}

func TestUsesOfASetting(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	o := realOptions(t, c.store, c.list)
	o.Uses = templates.Builtin().Uses
	o.NoEffect = func(string) map[phone.Vendor][]string { return map[phone.Vendor][]string{phone.Yealink: {"T19P"}} }
	s, err := newServer(o)
	if err != nil {
		t.Fatal(err)
	}
	c.handler = s.around(s.router())
	got := c.do(http.StatusOK, "GET /v1/pbx/settings/uses?name=codecs", "")
	uses, _ := got["uses"].([]any)
	first, _ := uses[0].(map[string]any)
	if first["vendor"] == "" || first["template"] == "" || first["line"] == 0.0 {
		t.Errorf("uses are %v", uses)
	}
	if diff := cmp.Diff(map[string]any{"yealink": []any{"T19P"}}, got["noEffect"]); diff != "" {
		t.Errorf("no effect (-want +got):\n%s", diff)
	}
	c.do(http.StatusUnprocessableEntity, "GET /v1/pbx/settings/uses?name=codec", "")
	c.do(http.StatusUnprocessableEntity, "GET /v1/pbx/settings/uses", "")
}
