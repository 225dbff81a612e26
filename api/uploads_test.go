package api

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/uploads"
)

// noUploads is a store in which no phone has anything.
type noUploads struct{}

func (noUploads) List(phone.MAC) ([]uploads.File, error)         { return nil, nil }
func (noUploads) Open(phone.MAC, string) (*os.File, error)       { return nil, phone.ErrNotFound }
func (noUploads) Remove(mac phone.MAC, name string) (none error) { return phone.ErrNotFound }

// What a phone stored is listed, comes as an attachment, needs the scope that its
// settings need, and can be deleted.
func TestUploads(t *testing.T) {
	t.Parallel()
	store, err := uploads.Open(uploads.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	const name = "0004f2abcdef-app.log"
	if _, err := store.Put(t.Context(), deskMAC, name, strings.NewReader("<script>boot</script>"), true); err != nil {
		t.Fatal(err)
	}
	o := fixed().options()
	o.Uploads = store
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	const list = "/v1/pbx/phones/phone_desk/uploads"
	w := send(t, h, request{call: "GET " + list})
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"name":"`+name+`","size":21,`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := send(t, h, request{call: "GET /v1/pbx/phones/phone_seen/uploads"}); w.Code != http.StatusOK || w.Body.String() != "{\"uploads\":[]}\n" {
		t.Errorf("a phone without a MAC: %d %s", w.Code, w.Body)
	}
	w = send(t, h, request{call: "GET " + list + "/" + name})
	if w.Code != http.StatusOK || w.Body.String() != "<script>boot</script>" ||
		w.Header().Get("Content-Disposition") != `attachment; filename="`+name+`"` ||
		w.Header().Get("Content-Type") != "application/octet-stream" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	if w := send(t, h, request{call: "GET " + list + "/" + name, key: readKey}); w.Code != http.StatusForbidden {
		t.Errorf("for a reader: %d", w.Code)
	}
	for _, bad := range []string{"0004f2abcdef-boot.log", "001565aabb01.cfg", "..%2f..%2fadmin.key", "0004f2abcdef%2f..%2fx"} {
		if w := send(t, h, request{call: "GET " + list + "/" + bad}); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
	for _, want := range []int{http.StatusNoContent, http.StatusNotFound} {
		if w := send(t, h, request{call: "DELETE " + list + "/" + name}); w.Code != want {
			t.Errorf("delete: %d, want %d", w.Code, want)
		}
	}
}
