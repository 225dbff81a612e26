package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/library"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// noTemplates is there for the table of routes.
type noTemplates struct{ Templates }

var _ Templates = (*library.Service)(nil)

// sampleFiles renders every phone as a sample of its vendor with its name in it.
type sampleFiles struct{}

func (sampleFiles) With(_ context.Context, d phone.Device, c templates.Choice) ([]byte, error) {
	v := templates.Samples(d.Vendor, d.Model)[0].View
	v.Lines[0].DisplayName = d.Name
	var b bytes.Buffer
	err := c.Set.RenderMasked(&b, c.File, v)
	return b.Bytes(), err
}

func newTemplateClient(t *testing.T) *client {
	t.Helper()
	c := newClient(t)
	builtin, _ := templates.NewLibrary(templates.Builtin())
	lib, err := library.New(t.Context(), library.Options{
		Reader: c.store, Writer: c.store, Devices: c.store, Files: sampleFiles{}, Live: templates.NewLive(builtin),
		FirmwareOf: func(phone.Device) string { return "" }, Packs: c.store,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.handler, err = New(Options{
		Roster: c.list, Devices: c.store, Extensions: c.store, Credentials: c.store, Keys: c.store, Timeline: c.store,
		Files: fakeFiles{}, Templates: lib, VendorOf: vendorFromCatalog,
		Tokens: c.store, TokenURL: func(t phone.Secret) phone.Secret { return t },
		Claims: fakeDesk{}, Enrollment: c.store, Bans: func() []Ban { return nil }, Pardon: func(string) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const plainYealink = "#!version:1.0.0.1\naccount.1.enable = 1\n{{range .Lines}}account.{{.Number}}.display_name = {{.DisplayName}}\n{{end}}\n"

func TestTemplateLife(t *testing.T) {
	t.Parallel()
	c := newTemplateClient(t)
	if _, err := c.store.CreateDevice(t.Context(), phone.Device{MAC: phone.MAC{0, 0x15, 0x65, 1, 2, 3}, Vendor: phone.Yealink, Model: "T46S", Name: "Front"}); err != nil {
		t.Fatal(err)
	}
	list := c.do(http.StatusOK, "GET /v1/pbx/templates", "")["templates"].([]any)
	if len(list) < 8 {
		t.Fatalf("%d built-in templates", len(list))
	}
	in := map[string]any{"name": "reception", "vendor": "yealink", "content": plainYealink, "models": []string{"T46S"}, "note": "first"}
	impact := c.do(http.StatusOK, "POST /v1/pbx/templates/impact", asJSON(t, in))
	if impact["concerned"] != 1.0 || impact["changed"] != 1.0 || !strings.Contains(asJSON(t, impact["examples"]), "account.1.display_name") {
		t.Errorf("impact %v", impact)
	}
	without := c.do(http.StatusUnprocessableEntity, "POST /v1/pbx/templates", asJSON(t, map[string]any{"name": "reception", "content": plainYealink}))
	if wrong := without["errors"].([]any)[0].(map[string]any); wrong["field"] != "vendor" {
		t.Errorf("without a vendor: %v", wrong)
	}
	made := c.do(http.StatusCreated, "POST /v1/pbx/templates", asJSON(t, in))
	if made["active"] != true || made["revision"] != 1.0 || made["file"] != "phone" {
		t.Errorf("made %v", made)
	}
	c.do(http.StatusConflict, "POST /v1/pbx/templates", asJSON(t, in))
	second := c.do(http.StatusOK, "PUT /v1/pbx/templates/reception", asJSON(t, map[string]any{"content": plainYealink + "a.b = 2\n", "models": []string{"T46S"}}))
	if second["revision"] != 2.0 {
		t.Errorf("second %v", second)
	}
	if diff := c.do(http.StatusOK, "GET /v1/pbx/templates/reception/diff?from=1&to=2", "")["diff"]; !strings.Contains(diff.(string), "+a.b = 2") {
		t.Errorf("diff %q", diff)
	}
	if back := c.do(http.StatusOK, "POST /v1/pbx/templates/reception/rollback", `{"revision":1}`); back["revision"] != 1.0 || back["content"] != plainYealink {
		t.Errorf("back %v", back)
	}
	revisions := c.do(http.StatusOK, "GET /v1/pbx/templates/reception/revisions?limit=1", "")
	if len(revisions["revisions"].([]any)) != 1 || revisions["next"] == nil {
		t.Errorf("revisions %v", revisions)
	}
	c.do(http.StatusUnprocessableEntity, "POST /v1/pbx/templates/reception/rollback", `{"revision":9}`)
	if off := c.do(http.StatusOK, "POST /v1/pbx/templates/reception/rollback", `{"revision":0}`); off["active"] != false {
		t.Errorf("off %v", off)
	}
	c.do(http.StatusNoContent, "DELETE /v1/pbx/templates/reception", "")
	c.do(http.StatusNotFound, "GET /v1/pbx/templates/reception", "")
	c.do(http.StatusConflict, "DELETE /v1/pbx/templates/yealink-phone", "")
}

// A bad upload says where it is wrong and changes nothing.
func TestTemplateRefused(t *testing.T) {
	t.Parallel()
	c := newTemplateClient(t)
	for _, tt := range []struct {
		name, call string
		in         map[string]any
		field      string
		line       float64
	}{
		{"syntax", "POST /v1/pbx/templates", map[string]any{"name": "x", "vendor": "yealink", "content": "#!version:1.0.0.1\na.b = {{.Nothing}}\n"}, "content", 2},
		{"put over a built-in one", "PUT /v1/pbx/templates/yealink-phone", map[string]any{"content": "#!version:1.0.0.1\na.b = {{if}}\n"}, "content", 2},
		{"validate", "POST /v1/pbx/templates/validate", map[string]any{"vendor": "polycom", "content": "<?xml version=\"1.0\"?><a>"}, "content", 1},
		{"unknown vendor", "POST /v1/pbx/templates", map[string]any{"name": "x", "vendor": "snom", "content": "x"}, "vendor", 0},
		{"unknown file", "POST /v1/pbx/templates", map[string]any{"name": "x", "vendor": "yealink", "file": "none", "content": "x"}, "file", 0},
		{"unknown field", "POST /v1/pbx/templates", map[string]any{"name": "x", "vendor": "yealink", "text": "x"}, "text", 0},
		{"bad variable", "POST /v1/pbx/templates", map[string]any{"name": "x", "vendor": "yealink", "content": plainYealink, "variables": []any{map[string]any{"name": "1x"}}}, "variables[0].name", 0},
		{"another vendor", "PUT /v1/pbx/templates/yealink-phone", map[string]any{"vendor": "polycom", "content": plainYealink}, "vendor", 0},
	} {
		out := c.do(http.StatusUnprocessableEntity, tt.call, asJSON(t, tt.in))
		first := out["errors"].([]any)[0].(map[string]any)
		line, _ := first["line"].(float64)
		if first["field"] != tt.field || line != tt.line {
			t.Errorf("%s: %v, want %s in line %v", tt.name, out, tt.field, tt.line)
		}
	}
	if list, err := c.store.Templates(context.Background()); err != nil || len(list) > 0 {
		t.Errorf("stored %v, %v", list, err)
	}
}

var _ library.Reader = (*inventory.Store)(nil)

func TestPreviewTemplate(t *testing.T) {
	t.Parallel()
	c := newTemplateClient(t)
	d, err := c.store.CreateDevice(t.Context(), phone.Device{MAC: phone.MAC{0, 0x15, 0x65, 1, 2, 3}, Vendor: phone.Yealink, Model: "T46S", Name: "Front", CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	out := c.do(http.StatusOK, "POST /v1/pbx/templates/preview", asJSON(t, map[string]any{"phoneId": d.ID, "content": plainYealink}))
	if !strings.Contains(out["content"].(string), "account.1.display_name = Front") {
		t.Errorf("preview %v", out)
	}
	now := c.do(http.StatusOK, "POST /v1/pbx/templates/preview", asJSON(t, map[string]any{"phoneId": d.ID}))
	if now["template"] != "" || strings.Contains(now["content"].(string), "s4mpleSecret") {
		t.Errorf("what the phone gets now %v", now)
	}
	c.do(http.StatusNotFound, "POST /v1/pbx/templates/preview", `{"phoneId":"phone_none","vendor":"yealink"}`)
	c.do(http.StatusUnprocessableEntity, "POST /v1/pbx/templates/preview", `{"content":"x"}`)
}
