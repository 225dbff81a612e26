package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An administrator who has nothing but the command line sets up phones, uploads a
// template and resyncs.
func TestCommandLineClients(t *testing.T) {
	t.Parallel()
	d := serve(t)
	run := func(wantErr bool, args ...string) string {
		t.Helper()
		args = append(args, "--server", "http://"+d.addr["admin"], "--key_file", filepath.Join(d.dir, "admin.key"))
		out, err := exec.Command(binary, args...).CombinedOutput()
		if (err != nil) != wantErr {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	want := func(out string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(out, p) {
				t.Errorf("%q is not in\n%s", p, out)
			}
		}
	}
	for args, code := range map[string]int{"": 2, "--server x": 2, "--help": 0, "nope": 1, "-o json --server http://" + d.addr["admin"] + " --key_file " + d.dir + "/admin.key list": 0} {
		cmd := exec.Command(binary, append([]string{"templates"}, strings.Fields(args)...)...)
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != code {
			t.Errorf("templates %s: exit code %d, want %d\n%s", args, cmd.ProcessState.ExitCode(), code, out)
		}
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		writeFile(t, filepath.Join(dir, name), text)
		return filepath.Join(dir, name)
	}
	want(run(false, "extensions", "create", "101", "--name", "Front Desk"), "sipPassword")
	rows := file("phones.csv", "mac,model,extension,name,site\n00:15:65:aa:bb:01,T46S,101,Desk,Berlin\n")
	want(run(false, "phones", "import", rows, "--dry-run"), "1 rows are well")
	if out := run(false, "phones", "list", "-o", "json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("after a dry run: %s", out)
	}
	want(run(false, "phones", "import", rows), "1 of 1 created", "100%")
	want(run(true, "phones", "import", rows), "row 2", "exists already")
	want(run(false, "phones", "list", "--manufacturer", "yealink"), "00:15:65:AA:BB:01", "T46S")
	id := d.phones("")[0].ID
	want(run(false, "phones", "config", id, "001565aabb01.cfg", "--explain"), "LAYER", "built-in", "yealink-phone", "account.1.enable = 1")
	want(run(true, "templates", "validate", file("mine.tmpl", "#!version:1.0.0.1\na = {{.Nothing}}\n"), "--vendor", "yealink"), "line 2, column", "Nothing")
	good := file("mine.tmpl", mineYealink("1", "{{.Password}}"))
	want(run(false, "templates", "validate", good, "--vendor", "yealink"), "is well")
	want(run(false, "template", "push", good, "--vendor", "yealink"), "mine revision 1")
	want(run(false, "templates", "push", file("mine.tmpl", mineYealink("2", "{{.Password}}")), "--no-activate"), "mine revision 2")
	want(run(false, "templates", "activate", "mine", "2"), "revision 2 is active")
	want(run(false, "templates", "list"), "mine")
	want(run(true, "phones", "resync", id), "not registered", "1 failed")
	d.simulated("yealink", "001565aabb01")
	eventually(t, 60*time.Second, "it registers", func() bool { return len(d.phones("registered=true")) == 1 })
	want(run(false, "phones", "resync", "-", "--manufacturer", "yealink"), "done: 1 succeeded", "1 of 1")
	want(run(true, "phones", "resync", "-"), "--all")
	want(run(false, "jobs", "list"), "resync")
	want(run(false, "keys", "create", "ci", "--scopes", "pbx:phones:read"), "do_live_")
	want(run(false, "keys", "list"), "ci")
	want(run(true, "phones", "list", "--key", "do_live_wrong", "--key_file", ""), "401")
	want(run(false, "templates", "help"), "push", "validate")

	// Phones by their MAC address, and what is done to one at a time.
	want(run(false, "phones", "create", "0004.f2ab.cdef", "--model", "VVX 450", "--extension", "101", "--name", "Hall"), "00:04:F2:AB:CD:EF", "Hall")
	want(run(true, "phones", "create", "0004.f2ab.cdef"), "409", "exists already")
	want(run(false, "phones", "show", "00-04-f2-ab-cd-ef"), "VVX 450")
	want(run(false, "phones", "timeline", "0004f2abcdef"), "stuckAt")
	want(run(false, "phones", "config", "0004f2abcdef", "0004f2abcdef.cfg"), "CONFIG_FILES")
	want(run(false, "phones", "replace", "0004f2abcdef", "0004f2abcd00"), "00:04:F2:AB:CD:00")
	want(run(true, "phones", "show", "0004f2abcdef"), "404")
	want(run(true, "phones", "show", "nonsense"), "404")
	want(run(false, "phones", "export"), "mac,model,extension,name,site", "00:04:F2:AB:CD:00,VVX 450,101,Hall,")
	want(run(false, "extensions", "create", "102"), "102")
	want(run(false, "phones", "create", "000b82aabb01"), "pending")
	want(run(true, "phones", "adopt", "000b82aabb01", "999"), "extensionNumber")
	want(run(false, "phones", "adopt", "000b82aabb01", "102"), "expected")
	run(false, "phones", "delete", "000b82aabb01")
	want(run(false, "extensions", "rotate", "102"), "sipPassword")
	want(run(false, "extensions", "contacts", "101"), "URI")
	want(run(false, "templates", "revisions", "mine"), "true")
	want(run(false, "templates", "rollback", "mine"), "revision 1 is active")
	want(run(false, "templates", "rollback", "mine", "--revision", "2"), "revision 2 is active")
	want(run(false, "templates", "rollback", "mine", "--revision", "0"), "built-in template is active")
}
