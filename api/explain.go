package api

import (
	"net/http"
	"path"
	"strings"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
)

// explainedLine is a line of a phone's file and where it comes from.
type explainedLine struct {
	Text         string   `json:"text"`
	Layer        string   `json:"layer"`
	Template     string   `json:"template"`
	TemplateLine int      `json:"templateLine"`
	Revision     int64    `json:"revision,omitempty"`
	Author       string   `json:"author,omitempty"`
	Settings     []string `json:"settings,omitempty"`
}

// explainFile answers GET /v1/pbx/phones/{id}/config with explain.
func (s *server) explainFile(w http.ResponseWriter, r *http.Request, d phone.Device, file string) error {
	lines, err := s.Files.Explain(r.Context(), d, file)
	if err != nil {
		return absent("file", err)
	}
	authors := map[string]string{}
	out := make([]explainedLine, len(lines))
	for i, l := range lines {
		out[i] = explainedLine{
			Text: l.Text, Layer: l.Layer, Template: l.Template, TemplateLine: l.Line, Revision: l.Revision, Settings: l.Settings,
		}
		if l.Revision == 0 || s.Templates == nil {
			continue
		}
		if _, asked := authors[l.Template]; !asked {
			authors[l.Template] = s.author(r, l.Template, l.Revision)
		}
		out[i].Author = authors[l.Template]
	}
	return writeJSON(w, http.StatusOK, struct {
		File  string          `json:"file"`
		Lines []explainedLine `json:"lines"`
	}{file, out})
}

// author is the key that stored a revision; empty when that is not known any more.
func (s *server) author(r *http.Request, template string, revision int64) string {
	list, err := s.Templates.Revisions(r.Context(), template, revision+1, 1)
	if err != nil || len(list) == 0 {
		return ""
	}
	return list[0].CreatedBy
}

// useAnswer is a place that reads a setting.
type useAnswer struct {
	Vendor   string `json:"vendor"`
	Template string `json:"template"`
	Line     int    `json:"line"`
	Revision int64  `json:"revision,omitempty"`
}

// settingUses answers GET /v1/pbx/settings/uses: where templates read a setting and
// on which models it changes nothing.
func (s *server) settingUses(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	name := q.text("name")
	if name == "" {
		q.fail("name", "is missing")
	} else if _, known := settings.Lookup(strings.ReplaceAll(name, "#", "1")); !known && !strings.HasPrefix(name, "vars.") {
		q.fail("name", "is not a setting of the schema; see GET "+base+"/settings/schema")
	}
	if err := q.err(); err != nil {
		return err
	}
	uses, none := []useAnswer{}, map[phone.Vendor][]string{}
	if s.Uses != nil {
		for _, u := range s.Uses(name) {
			a := useAnswer{Vendor: path.Dir(u.File), Template: u.Template, Line: u.Line, Revision: u.Revision}
			if a.Template == "" {
				a.Template = strings.Replace(u.File, "/", "-", 1)
			}
			uses = append(uses, a)
		}
	}
	if s.NoEffect != nil {
		none = s.NoEffect(strings.ReplaceAll(name, "#", "1"))
	}
	values := map[phone.Vendor]map[string]string{}
	if s.NoEffectValues != nil {
		values = s.NoEffectValues(strings.ReplaceAll(name, "#", "1"))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"name": name, "uses": uses, "noEffect": none, "noEffectValues": values})
}
