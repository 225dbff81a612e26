package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/firmware"
	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/registrar/location"
)

// The inventory and the roster are what the API asks for.
var (
	_ Devices     = (*inventory.Store)(nil)
	_ Extensions  = (*inventory.Store)(nil)
	_ Credentials = (*inventory.Store)(nil)
	_ Keys        = (*inventory.Store)(nil)
	_ Layers      = (*inventory.Store)(nil)
	_ Timeline    = (*inventory.Store)(nil)
	_ Roster      = (*roster.Roster)(nil)
)

// client drives the API over the real stores with one key.
type client struct {
	t       *testing.T
	handler http.Handler
	store   *inventory.Store
	list    *roster.Roster
	key     string
}

func newClient(t *testing.T) *client {
	t.Helper()
	store, err := inventory.Open(t.Context(), inventory.Options{Dir: t.TempDir(), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	_, key, err := store.CreateKey(t.Context(), "test", Scopes(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	list := follow(t, store)
	handler, err := New(realOptions(t, store, list))
	if err != nil {
		t.Fatal(err)
	}
	return &client{t, handler, store, list, key.Reveal()}
}

func realOptions(t *testing.T, store *inventory.Store, list *roster.Roster) Options {
	t.Helper()
	images := newImages(t, store)
	return Options{
		Roster: list, Devices: store, Extensions: store, Credentials: store, Keys: store,
		Claims: fakeDesk{}, Enrollment: store, Bans: func() []Ban { return nil }, Pardon: func(string) error { return nil },
		Support: fixed().options().Support, Auditor: store, Replays: store, Replacer: store, Imports: store, Settle: func(ctx context.Context) { _ = list.Load(ctx) },
		Jobs: store, JobRunner: newFakeJobs(), Layers: store, Timeline: store, Files: fakeFiles{}, VendorOf: vendorFromCatalog,
		Firmware: images, FirmwareTargets: images, FirmwareOffer: func(d phone.Device) firmware.Offer {
			return images.Offer(firmware.Phone{MAC: d.MAC, Vendor: d.Vendor, Model: d.Model, Version: "66.84.0.5"})
		},
		Tokens: store, TokenURL: func(t phone.Secret) phone.Secret { return t },
	}
}

// follow gives the store a roster that hears of every change, as internal/app does.
func follow(t *testing.T, store *inventory.Store) *roster.Roster {
	t.Helper()
	list, err := roster.New(roster.Options{Devices: store.Devices, Extensions: store.Extensions, ShowUnknown: true})
	if err != nil {
		t.Fatal(err)
	}
	store.OnChange(func(c inventory.Change) {
		switch {
		case c.Kind == inventory.ChangeDevice && c.Deleted:
			list.DeviceDeleted(c.ID)
		case c.Kind == inventory.ChangeDevice:
			d, err := store.Device(context.Background(), c.ID)
			if err != nil {
				t.Error(err)
			}
			list.DeviceChanged(d)
		case c.Kind == inventory.ChangeExtension && c.Deleted:
			list.ExtensionDeleted(c.ID)
		case c.Kind == inventory.ChangeExtension:
			e, err := store.Extension(context.Background(), c.ID)
			if err != nil {
				t.Error(err)
			}
			list.ExtensionChanged(e)
		}
	})
	return list
}

func vendorFromCatalog(m phone.MAC) (phone.Vendor, bool) {
	_, v, ok := catalog.VendorOf(m)
	return v, ok
}

// do calls and fails unless the status is the one expected.
func (c *client) do(status int, call, body string) map[string]any {
	c.t.Helper()
	w := send(c.t, c.handler, request{call: call, body: body, key: c.key})
	if w.Code != status {
		c.t.Fatalf("%s: %d, want %d: %s", call, w.Code, status, w.Body)
	}
	var answer map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			c.t.Fatalf("%s: %v: %s", call, err, w.Body)
		}
	}
	return answer
}

// field is the first field that a problem names.
func field(problem map[string]any) any {
	list, _ := problem["errors"].([]any)
	if len(list) == 0 {
		return nil
	}
	return list[0].(map[string]any)["field"]
}

func TestExtensionsForReal(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	made := c.do(201, "POST /v1/pbx/extensions", `{"number":"101","name":"Front Desk"}`)
	if !strings.HasPrefix(made["sipUsername"].(string), "101_") || made["sipPassword"] == "" {
		t.Errorf("made %v", made)
	}
	if p := c.do(409, "POST /v1/pbx/extensions", `{"number":"101"}`); !strings.Contains(p["detail"].(string), "101") {
		t.Errorf("problem %v", p)
	}
	if p := c.do(422, "POST /v1/pbx/extensions", `{"number":"Front"}`); field(p) != "number" {
		t.Errorf("problem %v", p)
	}
	moved := c.do(201, "POST /v1/pbx/extensions", `{"number":"102","sipUsername":"old102","sipPassword":"kept"}`)
	if moved["sipUsername"] != "old102" || moved["sipPassword"] != "kept" {
		t.Errorf("moved in %v", moved)
	}
	rotated := c.do(200, "POST /v1/pbx/extensions/101/credentials", "")
	if rotated["sipPassword"] == made["sipPassword"] || rotated["sipPassword"] == "" {
		t.Errorf("rotated %v", rotated)
	}
	if e := c.do(200, "PATCH /v1/pbx/extensions/101", `{"name":null}`); e["name"] != nil || e["sipPassword"] != nil {
		t.Errorf("patched %v", e)
	}
	if e := c.do(200, "GET /v1/pbx/extensions/101/contacts", ""); len(e["contacts"].([]any)) != 0 {
		t.Errorf("contacts %v", e)
	}
	c.do(204, "DELETE /v1/pbx/extensions/102", "")
	c.do(404, "GET /v1/pbx/extensions/102", "")
}

func TestPhonesForReal(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.do(201, "POST /v1/pbx/extensions", `{"number":"101","name":"Front Desk"}`)
	c.do(201, "POST /v1/pbx/extensions", `{"number":"102"}`)
	if p := c.do(422, "POST /v1/pbx/phones", `{"macAddress":"0004F2ABCDEF","lines":[{"line":1,"extensionNumber":"999"}]}`); field(p) != "lines[0].extensionNumber" {
		t.Errorf("problem %v", p)
	}
	made := c.do(201, "POST /v1/pbx/phones", `{"macAddress":"00-04-f2-ab-cd-ef","model":"VVX 450","site":"Hall","lines":[{"line":1,"extensionNumber":"101"}],"settings":{"a":"b"}}`)
	call := "/v1/pbx/phones/" + made["id"].(string)
	if made["manufacturer"] != "Polycom" || made["macAddress"] != "00:04:F2:AB:CD:EF" || made["extensionName"] != "Front Desk" {
		t.Errorf("made %v", made)
	}
	if p := c.do(409, "POST /v1/pbx/phones", `{"macAddress":"0004f2abcdef"}`); !strings.Contains(p["detail"].(string), "00:04:F2:AB:CD:EF") {
		t.Errorf("problem %v", p)
	}
	if p := c.do(422, "POST /v1/pbx/phones", `{"macAddress":"0004f2000001","lines":[{"line":1,"extensionNumber":"101"},{"line":1,"extensionNumber":"102"}]}`); field(p) != "lines[1].line" {
		t.Errorf("problem %v", p)
	}
	read := c.do(200, "GET "+call, "")
	if diff := cmp.Diff(made, read); diff != "" {
		t.Errorf("read (-made +read):\n%s", diff)
	}
	c.patchForReal(call, made)
	if p := c.do(409, "DELETE /v1/pbx/extensions/101", ""); !strings.Contains(p["detail"].(string), "00:04:F2:AB:CD:EF") {
		t.Errorf("problem %v", p)
	}
	c.do(204, "DELETE "+call, "")
	c.do(404, "GET "+call, "")
	c.do(404, "DELETE "+call, "")
}

// patchForReal: what a patch does not name stays, above all the credential.
func (c *client) patchForReal(call string, made map[string]any) {
	c.t.Helper()
	c.do(422, "PATCH "+call, `{"macAddress":"0004f2000001"}`)
	patched := c.do(200, "PATCH "+call, `{"name":"Reception","settings":{"c":"d"},"lines":[{"extensionNumber":"101","label":"Me"},{"extensionNumber":"102"}]}`)
	lines := patched["lines"].([]any)
	first, second := lines[0].(map[string]any), lines[1].(map[string]any)
	old := made["lines"].([]any)[0].(map[string]any)
	if first["authUser"] != old["authUser"] || second["line"] != 2.0 || second["authUser"] == first["authUser"] {
		c.t.Errorf("lines %v", lines)
	}
	want := map[string]any{"a": "b", "c": "d"}
	if diff := cmp.Diff(want, patched["settings"]); diff != "" || patched["site"] != "Hall" {
		c.t.Errorf("patched %v", patched)
	}
	same := c.do(200, "PATCH "+call, `{}`)
	if diff := cmp.Diff(patched, same); diff != "" {
		c.t.Errorf("an empty patch (-before +after):\n%s", diff)
	}
	cleared := c.do(200, "PATCH "+call, `{"lines":null,"settings":null,"name":null}`)
	if cleared["lines"] != nil || cleared["settings"] != nil || cleared["name"] != nil {
		c.t.Errorf("cleared %v", cleared)
	}
	c.do(200, "PATCH "+call, `{"lines":[{"line":1,"extensionNumber":"101"}]}`)
}

// TestListForReal: a provisioned phone and a browser register; both are in the
// list, both are rung, and the browser is forgotten after it left.
func TestListForReal(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.do(201, "POST /v1/pbx/extensions", `{"number":"101","name":"Front Desk"}`)
	desk := c.do(201, "POST /v1/pbx/phones", `{"macAddress":"0004f2abcdef","model":"VVX 450","lines":[{"extensionNumber":"101"}]}`)
	if list := c.do(200, "GET /v1/pbx/phones?state=expected&registered=false&manufacturer=polycom&drift=false", "")["phones"].([]any); len(list) != 1 {
		t.Errorf("expected %v", list)
	}
	now := time.Now()
	bind := func(kind location.ChangeKind, id, user, agent, transport string) {
		c.list.Binding(location.Change{Kind: kind, Binding: location.Binding{
			AOR: "101@pbx.dev", ID: id, Contact: "sip:" + id + "@192.0.2.10", Received: "192.0.2.10:5060", Transport: transport,
			UserAgent: agent, AuthUser: user, RegisteredAt: now, RefreshedAt: now, ExpiresAt: now.Add(time.Hour), Q: 1000,
		}})
	}
	line := desk["lines"].([]any)[0].(map[string]any)
	bind(location.Added, "desk", line["authUser"].(string), "PolycomVVX-VVX_450-UA/5.9.7.4477", "udp")
	bind(location.Added, "web", "101_a1b2c3", "JsSIP 3.10.0", "wss")

	live := c.do(200, "GET /v1/pbx/phones?registered=true&macAddress=0004f2abcdef", "")["phones"].([]any)
	if len(live) != 1 || live[0].(map[string]any)["id"] != desk["id"] || live[0].(map[string]any)["firmwareVersion"] != "5.9.7.4477" {
		t.Errorf("live %v", live)
	}
	browsers := c.do(200, "GET /v1/pbx/phones?deviceType=webrtc&extensionNumber=101&q=front", "")["phones"].([]any)
	if len(browsers) != 1 {
		t.Fatalf("browsers %v", browsers)
	}
	browser := browsers[0].(map[string]any)["id"].(string)
	stats := fmt.Sprint(c.do(200, "GET /v1/pbx/phones/stats?details=1", ""))
	if want := "map[details:map[byState:map[configured:0 contacted:0 expected:0 pending:0 registered:2 unregistered:0] byVendor:map[JsSIP:1 Polycom:1] drifted:0] stats:map[byType:map[hardware:1 mobile:0 softphone:0 webrtc:1] registered:2 totalPhones:2 unregistered:0]]"; stats != want {
		t.Errorf("stats %s", stats)
	}
	one := c.do(200, "GET /v1/pbx/extensions/101/contacts?limit=1", "")
	two := c.do(200, "GET /v1/pbx/extensions/101/contacts?limit=1&cursor="+one["next"].(string), "")
	if fmt.Sprint(one["contacts"]) == fmt.Sprint(two["contacts"]) || len(two["contacts"].([]any)) != 1 || two["next"] != nil {
		t.Errorf("pages of contacts: %v, %v", one, two)
	}
	if rung := c.do(200, "GET /v1/pbx/extensions/101/contacts", "")["contacts"].([]any); len(rung) != 2 {
		t.Errorf("contacts %v", rung)
	}
	if w := c.do(200, "GET /v1/pbx/phones/"+desk["id"].(string)+"/timeline", ""); w["stuckAt"] != nil {
		t.Errorf("stuck at %v", w["stuckAt"])
	}
	c.do(409, "DELETE /v1/pbx/phones/"+browser, "")
	bind(location.Removed, "web", "101_a1b2c3", "JsSIP 3.10.0", "wss")
	c.do(204, "DELETE /v1/pbx/phones/"+browser, "")
	c.do(404, "GET /v1/pbx/phones/"+browser, "")
	c.do(422, "GET /v1/pbx/phones?cursor=x", "")
}

func TestTimelineForReal(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.do(201, "POST /v1/pbx/extensions", `{"number":"101"}`)
	made := c.do(201, "POST /v1/pbx/phones", `{"macAddress":"805ec0010203"}`)
	if got := c.do(200, "GET /v1/pbx/phones/"+made["id"].(string)+"/timeline", ""); !strings.Contains(fmt.Sprint(got["stuckAt"]), "has no line") {
		t.Errorf("%v", got)
	}
	c.do(200, "PATCH /v1/pbx/phones/"+made["id"].(string), `{"lines":[{"line":1,"extensionNumber":"101"}]}`)
	call := "GET /v1/pbx/phones/" + made["id"].(string) + "/timeline"
	if got := c.do(200, call, ""); !strings.Contains(fmt.Sprint(got["stuckAt"]), "never contacted") {
		t.Errorf("%v", got)
	}
	mac, err := phone.ParseMAC("805ec0010203")
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range []string{"/y000000000000.boot", "/805ec0010203.cfg"} {
		c.store.Record(phone.Event{At: noon.Add(time.Duration(i) * time.Second), Kind: phone.EventFile, MAC: mac, Path: path, Outcome: "ok", Status: 200})
	}
	got := c.do(200, call+"?limit=1", "")
	if events := got["events"].([]any); len(events) != 1 || events[0].(map[string]any)["path"] != "/805ec0010203.cfg" {
		t.Errorf("events %v", events)
	}
	if !strings.Contains(fmt.Sprint(got["stuckAt"]), "has not registered since") {
		t.Errorf("stuck at %v", got["stuckAt"])
	}
}

func TestKeysForReal(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	if diff := cmp.Diff(inventory.Scopes(), Scopes()); diff != "" {
		t.Errorf("scopes (-inventory +api):\n%s", diff)
	}
	for body, want := range map[string]string{
		`{"scopes":["pbx:phones:read"]}`: "name",
		`{"name":"x"}`:                   "scopes",
		`{"name":"x","scopes":["all"]}`:  "scopes[0]",
		`{"name":"x","scopes":["pbx:phones:read"],"expiresAt":"2020-01-01T00:00:00Z"}`: "expiresAt",
	} {
		if p := c.do(422, "POST /v1/pbx/keys", body); field(p) != want {
			t.Errorf("%s: %v", body, p)
		}
	}
	made := c.do(201, "POST /v1/pbx/keys", `{"name":"ci","scopes":["pbx:phones:read"]}`)
	admin := c.key
	c.key = made["key"].(string)
	c.do(200, "GET /v1/pbx/phones", "")
	c.do(403, "GET /v1/pbx/keys", "")
	c.key = admin
	if list := c.do(200, "GET /v1/pbx/keys", ""); len(list["keys"].([]any)) != 2 {
		t.Errorf("keys %v", list)
	}
	c.do(204, "DELETE /v1/pbx/keys/"+made["id"].(string), "")
	c.key = made["key"].(string)
	c.do(401, "GET /v1/pbx/phones", "")
}

// TestFullPagesForReal: a page as large as the store gives at once has a next
// exactly when there is more.
func TestFullPagesForReal(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for i := range maxLimit {
		if _, err := c.store.CreateExtension(t.Context(), phone.Extension{Number: fmt.Sprint(1000 + i)}); err != nil {
			t.Fatal(err)
		}
	}
	if page := c.do(200, "GET /v1/pbx/extensions?limit=500", ""); page["next"] != nil || len(page["extensions"].([]any)) != maxLimit {
		t.Errorf("next %v after the last", page["next"])
	}
	c.do(201, "POST /v1/pbx/extensions", `{"number":"99999"}`)
	page := c.do(200, "GET /v1/pbx/extensions?limit=500", "")
	rest := c.do(200, "GET /v1/pbx/extensions?limit=500&cursor="+fmt.Sprint(page["next"]), "")
	if list := rest["extensions"].([]any); len(list) != 1 || rest["next"] != nil {
		t.Errorf("the rest is %v", rest)
	}
}
