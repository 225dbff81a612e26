package e2e

import (
	"slices"
	"testing"
)

// valuesThatCannotBeSaid sets what Yealink phones have no word for: the layer, the
// phone below it and the reverse view say so.
func valuesThatCannotBeSaid(t *testing.T, d *daemon, id string) {
	t.Helper()
	const layer = "settings.language: phones of Yealink have no nl; they stay at their own"
	const inherited = "settings.language of global: phones of Yealink have no nl; they stay at their own"
	var answer struct {
		Warnings       []string
		NoEffectValues map[string]map[string]string
	}
	d.call("PUT", "/v1/pbx/settings/global", map[string]any{"settings": map[string]any{"language": "nl"}}, &answer)
	if !slices.Equal(answer.Warnings, []string{layer}) {
		t.Errorf("warnings of the layer are %q", answer.Warnings)
	}
	d.call("GET", "/v1/pbx/phones/"+id+"/settings", nil, &answer)
	if !slices.Contains(answer.Warnings, inherited) {
		t.Errorf("warnings of what the phone has are %q", answer.Warnings)
	}
	d.call("PATCH", "/v1/pbx/phones/"+id, map[string]any{"settings": map[string]any{"language": "nl"}}, &answer)
	if !slices.Contains(answer.Warnings, layer) {
		t.Errorf("warnings of the phone are %q", answer.Warnings)
	}
	d.call("GET", "/v1/pbx/settings/uses?name=language", nil, &answer)
	if answer.NoEffectValues["yealink"]["nl"] == "" || len(answer.NoEffectValues) != 1 {
		t.Errorf("values without effect are %v", answer.NoEffectValues)
	}
}
