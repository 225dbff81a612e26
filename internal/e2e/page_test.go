package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// tell walks a story of browser/stories; ask answers what it needs from outside of the
// page. The pictures are kept with -artifacts.
func (d *daemon) tell(t *testing.T, story string, ask func(word string) string) {
	t.Helper()
	d.tellAt(t, story, "http://"+d.addr["admin"], ask)
}

// tellAt is tell for the page at another address than the daemon's own.
func (d *daemon) tellAt(t *testing.T, story, origin string, ask func(word string) string) {
	t.Helper()
	node, chromium := testkit.Need(t, "node"), testkit.Need(t, "chromium")
	if _, err := os.Stat("browser/node_modules/axe-core"); err != nil {
		testkit.Missing(t, "the packages of internal/e2e/browser: run scripts/test-deps.sh")
	}
	dir, err := filepath.Abs(t.ArtifactDir())
	if err != nil {
		t.Fatal(err)
	}
	args := []string{node, "browser/stories.mjs", story, origin, chromium, dir}
	if d.netns != "" {
		args = append([]string{"ip", "netns", "exec", d.netns}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	faults := &syncBuffer{}
	cmd.Stderr = faults
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	giveUp := time.AfterFunc(3*time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer giveUp.Stop()
	_, _ = io.WriteString(in, d.key+"\n")
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if word, ok := strings.CutPrefix(lines.Text(), "need "); ok {
			_, _ = io.WriteString(in, ask(word)+"\n")
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, faults)
	}
	if bytes.Contains([]byte(d.log.String()), []byte("panic")) {
		t.Error(d.log)
	}
}

// deskOn is a daemon with a phone that is registered.
func deskOn(t *testing.T) *daemon {
	t.Helper()
	d := serve(t)
	d.extension("101", "Front Desk")
	d.phone("001565aabb01", "T46S", "101")
	d.simulated("yealink", "001565aabb01")
	eventually(t, 60*time.Second, "the phone registers", func() bool { return len(d.phones("registered=true")) == 1 })
	return d
}

// Logging in and out; another site cannot use the session.
func TestPageSession(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.tell(t, "session", nil)
	if status := d.call("GET", "/v1/pbx/extensions/666", nil, nil); status != http.StatusNotFound {
		t.Errorf("another site made an extension: %d", status)
	}
	if status := d.call("GET", "/v1/pbx/extensions/201", nil, nil); status != http.StatusOK {
		t.Errorf("the page made none: %d", status)
	}
}

// An unknown phone is plugged in, adopted on the page and registers before its eyes.
func TestPageAdopts(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.extension("101", "Front Desk")
	const mac = "001565000102"
	d.tell(t, "adopt", func(string) string {
		d.boot("yealink", mac, "http://"+d.addr["http"]+"/", "--poll", "500ms")
		return "00:15:65:00:01:02"
	})
	if list := d.phones("macAddress=" + mac); len(list) != 1 || !list[0].Registered || list[0].ExtensionNumber != "101" {
		t.Errorf("%+v", list)
	}
}

// A broken template, its marked line, the mended one, its preview, the phone that has it.
func TestPageTemplate(t *testing.T) {
	t.Parallel()
	d := deskOn(t)
	d.tell(t, "template", nil)
	if got := d.answer("GET", "/001565aabb01.cfg", ""); !strings.Contains(got, "phone_setting.lcd_logo.mode = 1") {
		t.Errorf("the phone gets %s", got)
	}
}

func TestPageFirmware(t *testing.T) {
	t.Parallel()
	d := deskOn(t)
	d.extension("102", "Lab")
	d.phone("001565aabb02", "T46S", "102")
	d.plug("yealink", "001565aabb02")
	d.awaitRegisteredCount(2)
	d.tell(t, "firmware", nil)
	if status := d.call("GET", "/v1/pbx/firmware/targets/yealink/T46S", nil, nil); status != http.StatusNotFound {
		t.Errorf("target: %d", status)
	}
}

func TestPageSettings(t *testing.T) {
	t.Parallel()
	d := deskOn(t)
	d.tell(t, "settings", nil)
	var layer struct{ Settings map[string]string }
	d.call("GET", "/v1/pbx/settings/global", nil, &layer)
	if s := layer.Settings; s["adminPassword"] != "planted-secret-1" || s["vlan.id"] != "120" || s["language"] != "de" {
		t.Errorf("the layer has %v", s)
	}
}

// Every page in light, dark and narrow: axe-core, the console, the width.
func TestPageIsForAll(t *testing.T) {
	t.Parallel()
	d := deskOn(t)
	for _, mac := range []string{"0004f2000101", "000b82000103"} {
		d.answer("GET", "/"+map[string]string{"0004f2000101": "0004f2000101.cfg", "000b82000103": "cfg000b82000103.xml"}[mac], "")
	}
	d.extension("102", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamter in the laboratory")
	p := d.phone("0004f2abcdef", "VVX 450", "102")
	long := map[string]any{
		"name": strings.Repeat("Reception ", 6) + strings.Repeat("x", 60), "site": strings.Repeat("y", 90),
		"settings": map[string]string{"keys.2.value": "102", "keys.2.type": "blf", "keys.2.label": strings.Repeat("z", 60), "lines.1.label": strings.Repeat("w", 60)},
	}
	if status, text := d.raw("PATCH", "/v1/pbx/phones/"+p.ID, long); status != http.StatusOK {
		t.Fatalf("PATCH: %d %s", status, text)
	}
	log := filepath.Join(t.TempDir(), "app.log")
	writeFile(t, log, "booted\n")
	d.curl("-T", log, "http://"+d.addr["http"]+"/0004f2abcdef-app.log")
	d.tell(t, "pages", nil)
}

func TestPageEmpty(t *testing.T) {
	t.Parallel()
	serve(t).tell(t, "empty", nil)
}

// The vendored editor is what its sources make.
func TestPageEditorIsBuilt(t *testing.T) {
	t.Parallel()
	node, bundle := testkit.Need(t, "node"), filepath.Join("..", "..", "api", "ui", "bundle")
	if _, err := os.Stat(filepath.Join(bundle, "node_modules", "esbuild")); err != nil {
		testkit.Missing(t, "the packages of api/ui/bundle: run scripts/test-deps.sh")
	}
	dir := t.TempDir()
	if out, err := exec.Command(node, filepath.Join(bundle, "build.mjs"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"codemirror.js", "codemirror.LICENSE"} {
		made, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := os.ReadFile(filepath.Join(bundle, "..", "static", "vendor", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(made, kept) {
			t.Errorf("%s is not what api/ui/bundle makes: run make page", name)
		}
	}
}
