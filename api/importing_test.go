package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// noImports takes everything and has nothing.
type noImports struct{}

func (noImports) CreateDevices(context.Context, []phone.Device, bool) ([]phone.Device, []phone.RowError, error) {
	return nil, nil, nil
}

func (noImports) CreateExtensions(context.Context, []phone.Extension, bool) ([]phone.Extension, []phone.RowError, error) {
	return nil, nil, nil
}

func (noImports) Devices(context.Context, string, int) ([]phone.Device, error) { return nil, nil }

func (f *fakeDevices) ReplaceDevice(ctx context.Context, id string, mac phone.MAC, change func(*phone.Device) error) (phone.Device, error) {
	d, err := f.Device(ctx, id)
	if err != nil {
		return d, err
	}
	d.MAC = mac
	return d, change(&d)
}

// upload sends a CSV file.
func (c *client) upload(status int, call, body string) map[string]any {
	c.t.Helper()
	w := send(c.t, c.handler, request{call: call, body: body, key: c.key, header: map[string]string{"Content-Type": "text/csv; charset=utf-8"}})
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != status {
		c.t.Fatalf("%s: %d, want %d: %s", call, w.Code, status, w.Body)
	}
	return answer
}

// rowsOf lists the errors of an import: "3 mac".
func rowsOf(answer map[string]any) []string {
	var out []string
	for _, e := range answer["errors"].([]any) {
		e := e.(map[string]any)
		out = append(out, fmt.Sprint(e["row"], " ", e["field"]))
	}
	return out
}

func TestImportForReal(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	extensions := "number,name,sip_username,sip_password\n101,Front Desk,u101,s3cret-101\n102,Hall,,\n*9,Door,,\n"
	for _, call := range []string{"POST /v1/pbx/extensions/import?dryRun=1", "POST /v1/pbx/extensions/import?dryRun=true"} {
		if got := c.upload(200, call, extensions); got["rows"] != 3.0 || got["created"] != 0.0 || got["dryRun"] != true {
			t.Errorf("%v", got)
		}
	}
	if got := c.upload(200, "POST /v1/pbx/extensions/import", extensions); got["created"] != 3.0 {
		t.Errorf("%v", got)
	}
	if e := c.do(200, "GET /v1/pbx/extensions/101", ""); e["sipUsername"] != "u101" || e["sipPassword"] != nil {
		t.Errorf("%v", e)
	}
	got := c.upload(422, "POST /v1/pbx/extensions/import", "name;number;sip_username\nA;103;u103\nB;1o4;\nC;101;\nD;105;u 105\nE;103;\n")
	want := []string{"3 number", "4 number", "5 sip_username", "6 number"}
	if diff := cmp.Diff(want, rowsOf(got)); diff != "" {
		t.Error(diff)
	}
	c.do(404, "GET /v1/pbx/extensions/103", "") // nothing half done

	phones := "\ufeffMAC,Model,Extension,Name,Site\r\n00:04:F2:00:00:01,VVX 450,101,\"Desk, \"\"big\"\"\",Hall\r\n001565000002,T46S,102 *9,'=1+1,''quoted\r\n000b82000003,,,,\r\n"
	if got := c.upload(200, "POST /v1/pbx/phones/import?dryRun=1", phones); got["rows"] != 3.0 {
		t.Errorf("%v", got)
	}
	if list := c.do(200, "GET /v1/pbx/phones", "")["phones"].([]any); len(list) != 0 {
		t.Errorf("a dry run made %d phones", len(list))
	}
	c.upload(200, "POST /v1/pbx/phones/import", phones)
	list := c.do(200, "GET /v1/pbx/phones?q=T46S", "")["phones"].([]any)
	if len(list) != 1 || len(list[0].(map[string]any)["lines"].([]any)) != 2 {
		t.Fatalf("%v", list)
	}
	one := c.do(200, "GET /v1/pbx/phones/"+list[0].(map[string]any)["id"].(string), "")
	if one["name"] != "=1+1" || one["site"] != "'quoted" {
		t.Errorf("%v", one)
	}
	bad := "mac,model,extension\n0004f2000009,,101\nnonsense,,101\n0004f2000001,,\n0004f2000010,,777\n112233445566,,\n001565000011,,x:101\n0004f2000009,,\n"
	got = c.upload(422, "POST /v1/pbx/phones/import?dryRun=1", bad)
	if diff := cmp.Diff([]string{"3 mac", "4 mac", "5 extension", "6 mac", "7 extension", "8 mac"}, rowsOf(got)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(got["errors"], c.upload(422, "POST /v1/pbx/phones/import", bad)["errors"]); diff != "" {
		t.Errorf("a dry run says something else: %s", diff)
	}
	if list := c.do(200, "GET /v1/pbx/phones", "")["phones"].([]any); len(list) != 3 {
		t.Errorf("%d phones, something was half done", len(list))
	}
	c.roundTrip()
}

// roundTrip exports the phones and imports them at another server.
func (c *client) roundTrip() {
	c.t.Helper()
	out := send(c.t, c.handler, request{call: "GET /v1/pbx/phones/export", key: c.key})
	if out.Code != 200 || !strings.HasPrefix(out.Header().Get("Content-Type"), "text/csv") {
		c.t.Fatalf("%d %v", out.Code, out.Header())
	}
	rows, err := csv.NewReader(bytes.NewReader(out.Body.Bytes())).ReadAll()
	if err != nil || len(rows) != 4 {
		c.t.Fatalf("%v %v", rows, err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				c.t.Errorf("%q is a formula", cell)
			}
		}
	}
	other := newClient(c.t)
	other.upload(200, "POST /v1/pbx/extensions/import", "number\n101\n102\n*9\n")
	other.upload(200, "POST /v1/pbx/phones/import", out.Body.String())
	again := send(c.t, other.handler, request{call: "GET /v1/pbx/phones/export", key: other.key})
	lines := func(s string) map[string]bool { // ids are new, and so is the order
		set := map[string]bool{}
		for l := range strings.SplitSeq(s, "\n") {
			set[l] = true
		}
		return set
	}
	if diff := cmp.Diff(lines(out.Body.String()), lines(again.Body.String())); diff != "" {
		c.t.Error(diff)
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for body, field := range map[string]string{
		"":                          "body",
		"model,name\n":              "mac",
		"mac,mac\n":                 "mac",
		"mac,colour\n":              "colour",
		"mac\n\"broken":             "body",
		"mac,model\n0004f2000001\n": "body",
		"mac\n\xff\n":               "body",
	} {
		got := c.upload(422, "POST /v1/pbx/phones/import", body)
		if e := got["errors"].([]any)[0].(map[string]any); e["field"] != field {
			t.Errorf("%q: %v, want %s", body, e, field)
		}
	}
	c.upload(422, "POST /v1/pbx/phones/import?dryRun=maybe", "mac\n")
	c.do(415, "POST /v1/pbx/phones/import", "{}")
	c.upload(200, "POST /v1/pbx/phones/import", "mac\n")
}

// TestImportMany: 10 000 rows are stored, and the list shows them at once.
func TestImportMany(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	extensions, phones := strings.Builder{}, strings.Builder{}
	extensions.WriteString("number,name,sip_username,sip_password\n")
	phones.WriteString("mac,model,extension,name,site\n")
	for i := range 10_000 {
		fmt.Fprintf(&extensions, "%d,Name %d,,\n", 10_000+i, i)
		fmt.Fprintf(&phones, "0004f2%06x,VVX 450,%d,Desk %d,Hall\n", i, 10_000+i, i)
	}
	c.upload(200, "POST /v1/pbx/extensions/import", extensions.String())
	if got := c.upload(200, "POST /v1/pbx/phones/import", phones.String()); got["created"] != 10_000.0 {
		t.Errorf("%v", got)
	}
	if stats := c.do(200, "GET /v1/pbx/phones/stats", "")["stats"].(map[string]any); stats["totalPhones"] != 10_000.0 {
		t.Errorf("%v", stats)
	}
}

func TestReplaceForReal(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.do(201, "POST /v1/pbx/extensions", `{"number":"101","name":"Front Desk"}`)
	made := c.do(201, "POST /v1/pbx/phones", `{"macAddress":"0004f2000001","model":"VVX 450","name":"Desk","site":"Hall","lines":[{"extensionNumber":"101","label":"Me"}],"settings":{"a":"b"}}`)
	c.do(201, "POST /v1/pbx/phones", `{"macAddress":"0004f2000002"}`)
	user := func(p map[string]any) string { return p["lines"].([]any)[0].(map[string]any)["authUser"].(string) }
	call := "POST /v1/pbx/phones/" + made["id"].(string) + "/replace"
	got := c.do(200, call, `{"macAddress":"0004f2-000009"}`)
	if got["id"] != made["id"] || got["macAddress"] != "00:04:F2:00:00:09" || got["name"] != "Desk" || got["site"] != "Hall" || got["model"] != "VVX 450" ||
		got["lines"].([]any)[0].(map[string]any)["label"] != "Me" || got["settings"].(map[string]any)["a"] != "b" {
		t.Errorf("%v", got)
	}
	if _, err := c.store.Credential(t.Context(), user(made)); err == nil || user(made) == user(got) {
		t.Error("the old phone's user is still good")
	}
	got = c.do(200, call, `{"macAddress":"001565000001","model":"T46S"}`)
	if got["manufacturer"] != "Yealink" || got["model"] != "T46S" {
		t.Errorf("another maker: %v", got)
	}
	c.do(409, call, `{"macAddress":"0004f2000002"}`)
	c.do(422, call, `{"macAddress":"001565000001"}`)
	c.do(422, call, `{"macAddress":"phone"}`)
	c.do(422, call, `{}`)
	c.do(404, "POST /v1/pbx/phones/phone_none/replace", `{"macAddress":"0004f2000003"}`)
}

func TestCells(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", "=1", "+1", "-", "@a", "'", "''", "'=", "'x", "\t", "a=b", "\rx"} {
		cell := toCell(text)
		if got := fromCell(cell); got != text {
			t.Errorf("%q became %q and then %q", text, cell, got)
		}
	}
}
