package api

import "testing"

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
