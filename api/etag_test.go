package api

import (
	"net/http/httptest"
	"testing"
)

func TestIfMatch(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.do(201, "POST /v1/pbx/extensions", `{"number":"101"}`)
	made := c.do(201, "POST /v1/pbx/phones", `{"macAddress":"0004f2000001"}`)
	for _, path := range []string{"/v1/pbx/extensions/101", "/v1/pbx/phones/" + made["id"].(string)} {
		write := func(tag, name string) int {
			return send(t, c.handler, request{
				call: "PATCH " + path, body: `{"name":"` + name + `"}`, key: c.key, header: map[string]string{"If-Match": tag},
			}).Code
		}
		first := send(t, c.handler, request{call: "GET " + path, key: c.key}).Header().Get("ETag")
		if first == "" {
			t.Fatalf("%s has no ETag", path)
		}
		for i, step := range []struct {
			tag  string
			want int
		}{{`"none"`, 412}, {`"none", ` + first, 200}, {"*", 200}} {
			if got := write(step.tag, string(rune('a'+i))); got != step.want {
				t.Errorf("%s with %s: %d, want %d", path, step.tag, got, step.want)
			}
		}
	}
	call := "/v1/pbx/phones/" + made["id"].(string) // its revision has grown
	w := send(t, c.handler, request{call: "PATCH " + call, body: `{"name":"z"}`, key: c.key, header: map[string]string{"If-Match": `"r1"`}})
	if w.Code != 412 {
		t.Errorf("an old tag: %d", w.Code)
	}
	if got := c.do(200, "GET "+call, ""); got["name"] == "z" {
		t.Error("the write was done all the same")
	}
	for _, path := range []string{call, "/v1/pbx/extensions/101"} {
		tag := send(t, c.handler, request{call: "GET " + path, key: c.key}).Header().Get("ETag")
		for _, step := range []struct {
			tag  string
			want int
		}{{`"none"`, 412}, {tag, 204}} {
			w := send(t, c.handler, request{call: "DELETE " + path, key: c.key, header: map[string]string{"If-Match": step.tag}})
			if w.Code != step.want {
				t.Errorf("DELETE %s with %s: %d, want %d", path, step.tag, w.Code, step.want)
			}
		}
	}
}

// Whatever answers with the thing as it is now says its ETag, which a read gives as well.
func TestAnswersHaveETags(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	tag := func(call, body string) string {
		w := send(t, c.handler, request{call: call, body: body, key: c.key})
		if w.Code >= 300 {
			t.Fatalf("%s: %d %s", call, w.Code, w.Body)
		}
		return w.Header().Get("ETag")
	}
	const extension, create = "/v1/pbx/extensions/101", "POST /v1/pbx/phones"
	made := c.do(201, create, `{"macAddress":"0004f2000001"}`)
	phone := "/v1/pbx/phones/" + made["id"].(string)
	for _, step := range []struct{ call, body, read string }{
		{"POST /v1/pbx/extensions", `{"number":"101"}`, extension},
		{"PATCH " + extension, `{"name":"a"}`, extension},
		{"POST " + extension + "/credentials", "", extension},
		{"POST " + phone + "/adopt", `{"extensionNumber":"101"}`, phone},
		{"PATCH " + phone, `{"name":"a"}`, phone},
		{"POST " + phone + "/credentials", "", phone},
		{"POST " + phone + "/replace", `{"macAddress":"0004f2000002"}`, phone},
	} {
		if got, want := tag(step.call, step.body), tag("GET "+step.read, ""); got != want || got == "" {
			t.Errorf("%s: ETag %q, a read says %q", step.call, got, want)
		}
	}
}

// TestIfMatchOfWhatIsShared: of two administrators who have read the same, the second
// is told, and overwrites nothing.
func TestIfMatchOfWhatIsShared(t *testing.T) {
	t.Parallel()
	with := func(c *client, call, body, tag string) *httptest.ResponseRecorder {
		return send(t, c.handler, request{call: call, body: body, key: c.key, header: map[string]string{"If-Match": tag}})
	}
	desk, shelf := settingsClient(t), newTemplateClient(t)
	images := newClient(t)
	rom := images.image("T46S-66.86.0.15.rom", "young", "model=T46S")
	for _, tt := range []struct {
		c            *client
		path         string
		first, later string // bodies of PUT
	}{
		{desk, "/v1/pbx/settings/global", `{"settings":{"ntp":"one.example"}}`, `{"settings":{"ntp":"two.example"}}`},
		{desk, "/v1/pbx/settings/site/Berlin", `{"settings":{"ntp":"one.example"}}`, `{"settings":{"ntp":"two.example"}}`},
		{
			images, "/v1/pbx/firmware/targets/yealink/T46S",
			`{"firmwareId":"` + rom.ID + `"}`, `{"firmwareId":"` + rom.ID + `","allowDowngrade":true}`,
		},
		{
			shelf, "/v1/pbx/templates/yealink-phone",
			asJSON(t, map[string]any{"content": plainYealink}), asJSON(t, map[string]any{"content": plainYealink + "a.b = 2\n"}),
		},
	} {
		tag := with(tt.c, "PUT "+tt.path, tt.first, "*").Header().Get("ETag")
		if got := send(t, tt.c.handler, request{call: "GET " + tt.path, key: tt.c.key}).Header().Get("ETag"); got != tag || tag == "" {
			t.Errorf("%s: tag %s after the write of %s", tt.path, got, tag)
		}
		won := with(tt.c, "PUT "+tt.path, tt.later, tag)
		if won.Code != 200 {
			t.Errorf("PUT %s with its tag: %d %s", tt.path, won.Code, won.Body)
		}
		for _, call := range []string{"PUT ", "DELETE "} {
			if w := with(tt.c, call+tt.path, tt.first, tag); w.Code != 412 {
				t.Errorf("%s%s with the tag before: %d %s", call, tt.path, w.Code, w.Body)
			}
		}
		if w := with(tt.c, "DELETE "+tt.path, "", won.Header().Get("ETag")); w.Code != 204 {
			t.Errorf("DELETE %s with its tag: %d %s", tt.path, w.Code, w.Body)
		}
	}
}

// TestIfMatchOfActivation: nobody gives phones a revision in place of one that he has
// not seen.
func TestIfMatchOfActivation(t *testing.T) {
	t.Parallel()
	c := newTemplateClient(t)
	seen := send(t, c.handler, request{call: "GET /v1/pbx/templates/yealink-phone", key: c.key}).Header().Get("ETag")
	c.do(200, "PUT /v1/pbx/templates/yealink-phone", asJSON(t, map[string]any{"content": plainYealink}))
	for _, call := range []string{"activate", "rollback"} {
		w := send(t, c.handler, request{
			call: "POST /v1/pbx/templates/yealink-phone/" + call, body: `{"revision":1}`, key: c.key, header: map[string]string{"If-Match": seen},
		})
		if w.Code != 412 {
			t.Errorf("%s: %d %s", call, w.Code, w.Body)
		}
	}
}
