package e2e

import (
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"pbx.dev/dialtone/internal/testkit"
)

// An uploaded template is what phones get from the answer on; a broken one changes
// nothing; it survives a restart; without it phones get the built-in one again.
func TestUploadedTemplate(t *testing.T) {
	t.Parallel()
	curl := testkit.Need(t, "curl")
	d := serve(t)
	d.extension("101", "Front Desk")
	d.phone("00:15:65:aa:bb:01", "T46S", "101")
	call := func(method string, body any, want int) string {
		status, answer := d.raw(method, "/v1/pbx/templates/yealink-phone", body)
		if status != want {
			t.Fatalf("%s: %d %s, want %d", method, status, answer, want)
		}
		return string(answer)
	}
	file := func() string {
		out, err := exec.Command(curl, "-sS", "--fail", "http://"+d.addr["http"]+"/001565aabb01.cfg").CombinedOutput()
		if err != nil {
			t.Fatalf("%v %s", err, out)
		}
		return string(out)
	}
	builtin := file()
	const mine = "#!version:1.0.0.1\nphone_setting.lcd_logo.mode = 1\n{{range .Lines}}account.{{.Number}}.password = {{.Password}}\n{{end}}"
	call(http.MethodPut, map[string]any{"content": mine}, http.StatusOK)
	uploaded := file()
	if !strings.Contains(uploaded, "phone_setting.lcd_logo.mode = 1") || uploaded == builtin {
		t.Fatalf("after the upload:\n%s", uploaded)
	}
	answer := call(http.MethodPut, map[string]any{"content": mine + "{{.Nothing}}"}, http.StatusUnprocessableEntity)
	if !strings.Contains(answer, `"line":4`) || file() != uploaded {
		t.Errorf("after a broken upload %s:\n%s", answer, file())
	}
	d.kill(syscall.SIGKILL)
	d.start()
	if got := file(); got != uploaded {
		t.Errorf("after a restart:\n%s", got)
	}
	call(http.MethodDelete, nil, http.StatusNoContent)
	if got := file(); strings.Contains(got, "lcd_logo") || !strings.Contains(got, "account.1.auth_name") {
		t.Errorf("after it was removed:\n%s", got)
	}
}
