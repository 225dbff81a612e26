package api

import (
	"encoding/json"
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

// Of two administrators who read the same layer, or the same template, the second one
// is told that the first was quicker.
func TestIfMatchOfSharedThings(t *testing.T) {
	t.Parallel()
	layers, texts := settingsClient(t), newTemplateClient(t)
	builtin := texts.do(200, "GET /v1/pbx/templates/yealink-phone", "")["content"].(string)
	text := func(remark string) string {
		body, _ := json.Marshal(map[string]any{"content": builtin + "# " + remark + "\n"})
		return string(body)
	}
	for _, tt := range []struct {
		c           *client
		path        string
		first, more string
	}{
		{layers, "/v1/pbx/settings/global", `{"settings":{"ntp":"a"}}`, `{"settings":{"ntp":"b"}}`},
		{layers, "/v1/pbx/settings/site/Berlin", `{"settings":{"ntp":"a"}}`, `{"settings":{"ntp":"b"}}`},
		{texts, "/v1/pbx/templates/yealink-phone", text("a"), text("b")},
	} {
		write := func(call, tag, body string) (int, string) {
			w := send(t, tt.c.handler, request{call: call + " " + tt.path, body: body, key: tt.c.key, header: map[string]string{"If-Match": tag}})
			return w.Code, w.Header().Get("ETag")
		}
		none := `"l0"` // of what is not there
		if w := send(t, tt.c.handler, request{call: "GET " + tt.path, key: tt.c.key}); w.Code == 200 {
			none = w.Header().Get("ETag")
		}
		code, tag := write("PUT", none, tt.first)
		if code != 200 || tag == "" || tag == none {
			t.Fatalf("%s: %d %s", tt.path, code, tag)
		}
		if code, _ := write("PUT", none, tt.more); code != 412 {
			t.Errorf("%s with the tag of before: %d", tt.path, code)
		}
		if code, tag = write("PUT", tag, tt.more); code != 200 {
			t.Errorf("%s with its tag: %d", tt.path, code)
		}
		if now := send(t, tt.c.handler, request{call: "GET " + tt.path, key: tt.c.key}).Header().Get("ETag"); now != tag {
			t.Errorf("%s: %s after %s", tt.path, now, tag)
		}
		if tt.c == texts {
			continue
		}
		if code, _ := write("DELETE", none, ""); code != 412 {
			t.Errorf("DELETE %s with the tag of before: %d", tt.path, code)
		}
		if code, _ := write("DELETE", tag, ""); code != 204 {
			t.Errorf("DELETE %s with its tag: %d", tt.path, code)
		}
	}
}
