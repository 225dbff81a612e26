package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
)

// openapiFile is what the tests read of the document.
type openapiFile struct {
	OpenAPI    string                                `json:"openapi"`
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]json.RawMessage `json:"properties"`
			AllOf      []struct {
				Properties map[string]json.RawMessage `json:"properties"`
			} `json:"allOf"`
		} `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	OperationID string                `json:"operationId"`
	Security    []map[string][]string `json:"security"`
}

// TestOpenAPIIsCurrent makes openapi.json from openapi.yaml.
func TestOpenAPIIsCurrent(t *testing.T) {
	source, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	compact, err := yaml.YAMLToJSON(source)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Indent(&want, compact, "", " "); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want.String(), string(openapiDocument)); diff != "" {
		t.Errorf("openapi.json is not what openapi.yaml says; run with -update (-want +got):\n%s", diff)
	}
}

func document(t *testing.T) openapiFile {
	t.Helper()
	w := send(t, fixed().handler(t), request{call: "GET /openapi.json", key: "none"})
	var doc openapiFile
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v", w.Code, err)
	}
	return doc
}

// TestOpenAPIHasTheRoutes walks the mux and the document both ways.
func TestOpenAPIHasTheRoutes(t *testing.T) {
	t.Parallel()
	o := fixed().options()
	o.MetricsHandler = http.NotFoundHandler()
	s, err := newServer(o)
	if err != nil {
		t.Fatal(err)
	}
	doc := document(t)
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("version %q", doc.OpenAPI)
	}
	if diff := cmp.Diff(muxPaths(t, s), documentPaths(doc)); diff != "" {
		t.Errorf("paths (-mux +document):\n%s", diff)
	}
	want := make(map[string]string)
	for _, r := range s.routes() {
		want[r.method+" "+r.path] = r.scope
	}
	if diff := cmp.Diff(want, documentScopes(t, doc)); diff != "" {
		t.Errorf("calls and their scopes (-routes +document):\n%s", diff)
	}
}

// muxPaths are the templates of all routes but those of the page.
func muxPaths(t *testing.T, s *server) []string {
	t.Helper()
	var paths []string
	err := s.router().Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := r.GetPathTemplate()
		if err == nil && path != base && path != "/" && path != "/static/" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

func documentPaths(doc openapiFile) []string {
	var paths []string
	for path := range doc.Paths {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// documentScopes maps "METHOD path" to the scope that the document declares.
func documentScopes(t *testing.T, doc openapiFile) map[string]string {
	t.Helper()
	scopes, ids := make(map[string]string), make(map[string]bool)
	for path, item := range doc.Paths {
		for method, raw := range item {
			if method == "parameters" {
				continue
			}
			var op operation
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatal(err)
			}
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s %s: operationId %q is missing or not unique", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
			scopes[strings.ToUpper(method)+" "+path] = ""
			for _, requirement := range op.Security {
				scopes[strings.ToUpper(method)+" "+path] = strings.Join(requirement["key"], " ")
			}
		}
	}
	return scopes
}

// TestOpenAPIHasTheFields compares the schemas with the Go types behind them.
func TestOpenAPIHasTheFields(t *testing.T) {
	t.Parallel()
	doc := document(t)
	for name, v := range map[string]any{
		"Phone": phoneAnswer{}, "ModelKeys": keysAnswer{}, "DHCPServer": DHCPServer{}, "HistoryPoint": historyPoint{}, "Line": lineAnswer{}, "NewPhone": phoneInput{}, "PhonePatch": phoneInput{}, "NewLine": lineInput{},
		"ExtensionWithPassword": extensionAnswer{}, "NewExtension": newExtension{}, "ExtensionPatch": extensionChange{},
		"Contact": contactAnswer{}, "KeyWithText": keyAnswer{}, "NewKey": newKey{}, "Problem": problem{},
		"Layer": layerAnswer{}, "ExplainedLine": explainedLine{}, "SettingUse": useAnswer{}, "Activation": activation{}, "EffectiveSetting": effectiveValue{},
		"Upload": uploadAnswer{}, "Firmware": firmwareAnswer{}, "FirmwareTarget": targetAnswer{}, "NewFirmwareTarget": targetInput{},
		"PhoneFirmware": phoneFirmwareAnswer{}, "Token": tokenAnswer{},
		"Audit": auditAnswer{}, "Replacement": replaceInput{}, "Import": importAnswer{},
		"Job": jobAnswer{}, "JobPhone": jobPhoneAnswer{}, "JobCounts": jobCounts{}, "Waves": wavesInput{}, "ManyPhones": manyInput{},
		"PhoneFilter": filterInput{}, "OnePhone": oneInput{},
		"Adoption": adoption{}, "ClaimedAdoption": claimedAdoption{}, "NewEnrollment": newEnrollment{}, "Enrollment": enrollmentAnswer{}, "Ban": Ban{},
	} {
		schema := doc.Components.Schemas[name]
		var declared []string
		for property := range schema.Properties {
			declared = append(declared, property)
		}
		for _, part := range schema.AllOf {
			for property := range part.Properties {
				declared = append(declared, property)
			}
		}
		for property := range doc.Components.Schemas[strings.TrimSuffix(strings.TrimSuffix(name, "WithPassword"), "WithText")].Properties {
			declared = append(declared, property)
		}
		slices.Sort(declared)
		if diff := cmp.Diff(jsonNames(v), slices.Compact(declared)); diff != "" {
			t.Errorf("%s (-code +document):\n%s", name, diff)
		}
	}
}

// TestOpenAPIRefersToWhatIsThere follows every $ref.
func TestOpenAPIRefersToWhatIsThere(t *testing.T) {
	t.Parallel()
	var doc any
	if err := json.Unmarshal(openapiDocument, &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && !resolves(doc, ref) {
				t.Errorf("%s is not there", ref)
			}
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(doc)
}

func resolves(doc any, ref string) bool {
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		object, _ := doc.(map[string]any)
		doc = object[name]
	}
	return doc != nil
}

func jsonNames(v any) []string {
	t := reflect.TypeOf(v)
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// TestOpenAPIHasNoNulls: a null is a text with a comma or a colon that was not quoted
// in the YAML, and tools refuse the document for the field that it becomes.
func TestOpenAPIHasNoNulls(t *testing.T) {
	t.Parallel()
	var doc any
	if err := json.Unmarshal(openapiDocument, &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case nil:
			t.Errorf("%s is null", path)
		case map[string]any:
			for name, inner := range v {
				walk(path+"/"+name, inner)
			}
		case []any:
			for i, inner := range v {
				walk(fmt.Sprintf("%s/%d", path, i), inner)
			}
		}
	}
	walk("", doc)
}
