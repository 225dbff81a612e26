package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pbx.dev/dialtone/firmware"
	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
)

// noFirmware is a house without images.
type noFirmware struct{}

func (noFirmware) Receive(context.Context, io.Reader) (*firmware.Received, error) {
	return nil, phone.Invalid("file", "is not taken here")
}

func (noFirmware) Keep(context.Context, *firmware.Received, phone.FirmwareImage) (i phone.FirmwareImage, created bool, err error) {
	return i, false, phone.ErrConflict
}
func (noFirmware) Images() []phone.FirmwareImage            { return nil }
func (noFirmware) Image(string) (phone.FirmwareImage, bool) { return phone.FirmwareImage{}, false }

func (noFirmware) Delete(context.Context, string) error                    { return phone.ErrNotFound }
func (noFirmware) Targets(context.Context) ([]phone.FirmwareTarget, error) { return nil, nil }
func (noFirmware) PutTarget(_ context.Context, t phone.FirmwareTarget, _ phone.Check[phone.FirmwareTarget]) (phone.FirmwareTarget, error) {
	return t, nil
}

func (noFirmware) DeleteTarget(context.Context, phone.Vendor, string, string, phone.Check[phone.FirmwareTarget]) error {
	return phone.ErrNotFound
}
func (noFirmware) State(phone.MAC) phone.FirmwareState    { return phone.FirmwareState{} }
func (noFirmware) Retry(context.Context, phone.MAC) error { return nil }

func newImages(t *testing.T, store *inventory.Store) *firmware.Service {
	t.Helper()
	folder, err := firmware.OpenStore(filepath.Join(t.TempDir(), "firmware"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	images, err := firmware.New(t.Context(), firmware.Options{Store: folder, Images: store, Targets: store, States: store})
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// form is a multipart form: fields "name=value", in order; the file stands first
// with last false, else last.
func form(t *testing.T, fileName, content string, last bool, fields ...string) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	file := func() {
		if fileName == "" {
			return
		}
		part, err := w.CreateFormFile("file", fileName)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, content); err != nil {
			t.Fatal(err)
		}
	}
	if !last {
		file()
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if last {
		file()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return body, w.FormDataContentType()
}

// uploadImage posts a form and decodes the answer.
func (c *client) uploadImage(body io.Reader, contentType string) (*httptest.ResponseRecorder, firmwareAnswer, problem) {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), "POST", "/v1/pbx/firmware", body)
	r.Header.Set("Authorization", "Bearer "+c.key)
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	var a firmwareAnswer
	var p problem
	target := any(&a)
	if w.Code >= 400 {
		target = &p
	}
	if err := json.Unmarshal(w.Body.Bytes(), target); err != nil {
		c.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w, a, p
}

func (c *client) image(name, content string, fields ...string) firmwareAnswer {
	c.t.Helper()
	body, contentType := form(c.t, name, content, true, fields...)
	w, a, _ := c.uploadImage(body, contentType)
	if w.Code != http.StatusCreated {
		c.t.Fatalf("%s: %d %s", name, w.Code, w.Body)
	}
	return a
}

func (c *client) send(call, body string) *httptest.ResponseRecorder {
	c.t.Helper()
	return send(c.t, c.handler, request{call: call, body: body, key: c.key})
}

func (c *client) want(call, body string, status int, holds string) {
	c.t.Helper()
	if w := c.send(call, body); w.Code != status || !strings.Contains(w.Body.String(), holds) {
		c.t.Errorf("%s %s: %d %s, want %d with %s", call, body, w.Code, w.Body, status, holds)
	}
}

// An image is kept with its SHA-256 and never overwritten.
func TestFirmwareUpload(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	const name, content = "T46S(T48S,T42S,T41S)-66.86.0.15.rom", "rom content"
	sum := sha256.Sum256([]byte(content))
	sha := hex.EncodeToString(sum[:])
	for _, last := range []bool{false, true} {
		body, contentType := form(t, name, content, last, "vendor=Yealink", "model=T46S, T48S", "models=T42S", "version=66.86.0.15", "requires=66.80.0.1", "sha256="+strings.ToUpper(sha))
		w, a, _ := c.uploadImage(body, contentType)
		want := http.StatusOK
		if !last {
			want = http.StatusCreated
		}
		if w.Code != want || w.Header().Get("Location") != "/v1/pbx/firmware/"+a.ID || a.SHA256 != sha || a.Size != int64(len(content)) ||
			a.Vendor != "yealink" || strings.Join(a.Models, "+") != "T46S+T48S+T42S" || a.Requires != "66.80.0.1" || a.UploadedBy != "test" || len(a.Warnings) > 0 {
			t.Errorf("file last %v: %d %s", last, w.Code, w.Body)
		}
	}
	list := c.send("GET /v1/pbx/firmware?vendor=yealink", "")
	if strings.Count(list.Body.String(), `"sha256":"`+sha) != 1 {
		t.Errorf("list: %s", list.Body)
	}
	c.want("GET /v1/pbx/firmware?vendor=polycom", "", 200, `{"firmware":[]}`)
	for what, f := range map[string]struct {
		name, content string
		fields        []string
		status        int
		field         string
	}{
		"other content":  {name, "other", nil, 409, ""},
		"other name":     {"T46S-66.86.0.16.rom", content, nil, 409, ""},
		"wrong sum":      {"a.rom", "x", []string{"sha256=" + sha}, 422, "sha256"},
		"zip":            {"b.rom", "PK\x03\x04zip", nil, 422, "file"},
		"web page":       {"c.rom", "<!DOCTYPE html><html>", nil, 422, "file"},
		"empty":          {"d.rom", "", nil, 422, "file"},
		"no file":        {"", "", []string{"vendor=yealink"}, 422, "file"},
		"other vendor":   {"e.rom", "x", []string{"vendor=polycom"}, 422, "vendor"},
		"unknown vendor": {"f.rom", "x", []string{"vendor=snom"}, 422, "vendor"},
		"no vendor":      {"f.bin", "x", nil, 422, "vendor"},
		"unknown field":  {"g.rom", "x", []string{"colour=red"}, 422, "colour"},
		"ending":         {"h.exe", "x", []string{"vendor=yealink"}, 422, "name"},
		"backslash":      {"i.rom", "x", []string{`name=..\i.rom`}, 422, "name"},
		"slash":          {"i.rom", "x", []string{`name=../i.rom`}, 422, "name"},
		"hidden":         {"i.rom", "x", []string{`name=.i.rom`}, 422, "name"},
		"bad version":    {"j.rom", "x", []string{"version=1\x01"}, 422, "version"},
	} {
		body, contentType := form(t, f.name, f.content, true, f.fields...)
		w, _, p := c.uploadImage(body, contentType)
		if w.Code != f.status || f.field != "" && (len(p.Errors) != 1 || p.Errors[0].Field != f.field) {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	if w, _, _ := c.uploadImage(strings.NewReader("{}"), "application/json"); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("json: %d", w.Code)
	}
	broken := "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\x00b.rom\"\r\n\r\nx\r\n--X--\r\n"
	if w, _, _ := c.uploadImage(strings.NewReader(broken), "multipart/form-data; boundary=X"); w.Code != http.StatusBadRequest {
		t.Errorf("a part with a NUL in its header: %d %s", w.Code, w.Body)
	}
	body, contentType := form(t, "z.rom", strings.Repeat("x", 1<<16), true)
	if w, _, _ := c.uploadImage(io.LimitReader(body, 1<<15), contentType); w.Code != http.StatusBadRequest {
		t.Errorf("cut off: %d %s", w.Code, w.Body)
	}
	if again := c.send("GET /v1/pbx/firmware", ""); strings.Count(again.Body.String(), `"id"`) != 1 {
		t.Errorf("what was refused is there: %s", again.Body)
	}
}

// A model has a target, which its image outlives.
func TestFirmwareTargetCalls(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	old := c.image("T46S-66.85.0.5.rom", "old", "model=T46S")
	young := c.image("T46S-66.86.0.15.rom", "young", "model=T46S", "requires=66.85.0.1")
	other := c.image("T46U-108.86.0.90.rom", "other")
	gold := c.image("gxp2170fw.bin", "gold", "version=1.0.11.85")
	noVersion := c.image("extra.rom", "extra")
	const at = " /v1/pbx/firmware/targets/yealink/sip-t46s"
	for body, field := range map[string]string{
		`{}`: "firmwareId", `{"firmwareId":"fw_none"}`: "firmwareId", `{"firmwareId":"` + gold.ID + `"}`: "firmwareId",
		`{"firmwareId":"` + noVersion.ID + `"}`: "firmwareId", `{"firmwareId":7}`: "firmwareId", `{"firmwareId":"` + old.ID + `","allowDowngrade":"yes"}`: "allowDowngrade",
		`{"firmwareId":"` + old.ID + `","x":1}`: `"x"`,
	} {
		c.want("PUT"+at, body, 422, field)
	}
	c.want("PUT /v1/pbx/firmware/targets/snom/d785", `{"firmwareId":"`+old.ID+`"}`, 422, `"vendor"`)
	c.want("PUT /v1/pbx/firmware/targets/yealink/T48S", `{"firmwareId":"`+old.ID+`"}`, 422, "is not for this model")
	c.want("GET"+at, "", 404, "no such target")
	c.want("PUT"+at, `{"firmwareId":"`+old.ID+`"}`, 200, `"model":"T46S","firmwareId":"`+old.ID+`","version":"66.85.0.5","allowDowngrade":false`)
	c.want("PUT"+at, `{"firmwareId":"`+young.ID+`","allowDowngrade":true}`, 200, young.ID)
	c.want("PUT"+at, `{"firmwareId":"`+other.ID+`","hardware":"V2"}`, 200, "begins with 66")
	c.want("GET"+at+"?hardware=V2", "", 200, other.ID)
	c.want("GET /v1/pbx/firmware/targets", "", 200, `"hardware":"V2"`)
	c.want("DELETE /v1/pbx/firmware/"+young.ID, "", 409, "target of yealink T46S")
	c.want("GET /v1/pbx/firmware/"+young.ID, "", 200, `"requires":"66.85.0.1"`)

	w := c.send("POST /v1/pbx/phones", `{"macAddress":"805ec0aabb01","model":"T46S","lines":[]}`)
	var p phoneAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	// The phone has 66.84.0.5, from which only the old image leads to the new one.
	c.want("GET /v1/pbx/phones/"+p.ID+"/firmware", "", 200, `"targetFirmwareId":"`+young.ID+`","offeredFirmwareId":"`+old.ID+`"`)
	c.want("POST /v1/pbx/phones/"+p.ID+"/firmware/retry", "", 204, "")
	c.want("POST /v1/pbx/phones/phone_none/firmware/retry", "", 404, "")

	c.want("DELETE"+at, "", 204, "")
	c.want("DELETE"+at, "", 404, "")
	c.want("DELETE /v1/pbx/firmware/"+young.ID, "", 204, "")
	c.want("DELETE /v1/pbx/firmware/"+young.ID, "", 404, "no such firmware")
}

// An upload that is refused leaves nothing in the folder.
func TestRefusedUploadLeavesNothing(t *testing.T) {
	t.Parallel()
	store, err := inventory.Open(t.Context(), inventory.Options{Dir: t.TempDir(), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	dir := t.TempDir()
	folder, err := firmware.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	images, err := firmware.New(t.Context(), firmware.Options{Store: folder, Images: store, Targets: store, States: store})
	if err != nil {
		t.Fatal(err)
	}
	o := fixed().options()
	o.Firmware, o.FirmwareTargets = images, images
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, handler: h, key: adminKey}
	for _, fields := range [][]string{{"colour=red"}, {"vendor=snom"}, {"sha256=00"}} {
		body, contentType := form(t, "a.rom", "content", false, fields...)
		if w, _, _ := c.uploadImage(body, contentType); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", fields, w.Code)
		}
	}
	for _, name := range []string{".", "blobs"} {
		entries, err := os.ReadDir(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				t.Errorf("%s/%s is left", name, e.Name())
			}
		}
	}
}
