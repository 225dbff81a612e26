package e2e

import (
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/testkit"
)

// The package installs, its configuration is one that the program takes, its manual
// names every command, its completion works, and systemd understands its unit.
func TestDebianPackage(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	dpkg := testkit.Need(t, "dpkg")
	testkit.Need(t, "dpkg-deb")
	dir := t.TempDir()
	deb := filepath.Join(dir, "dialtone.deb")
	build := exec.Command("../../scripts/deb.sh", deb)
	build.Env = append(os.Environ(), "BIN="+binary, "COMPRESSION=none")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	root := filepath.Join(dir, "root")
	for _, d := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(root, "var/lib/dpkg/status"), "")
	// Scripts that would talk to this machine's systemd are not run.
	install := exec.Command(dpkg, "--root="+root, "--force-script-chrootless", "--unpack", deb)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	installed := filepath.Join(root, "usr/bin/dialtone")
	config := filepath.Join(root, "etc/dialtone/dialtone.yaml.dpkg-new") // unpacked, not configured
	if out, err := exec.Command(installed, "check", "--config", config).CombinedOutput(); err != nil {
		t.Errorf("check of the packaged configuration: %v %s", err, out)
	}
	help, err := exec.Command(installed, "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	manual := gunzip(t, filepath.Join(root, "usr/share/man/man1/dialtone.1.gz"))
	commands := regexp.MustCompile(`(?m)^  ([a-z]+) `).FindAllStringSubmatch(string(help), -1)
	for _, c := range commands {
		if !strings.Contains(manual, ".B "+c[1]+"\n") {
			t.Errorf("the manual lacks the command %s", c[1])
		}
	}
	if len(commands) < 8 {
		t.Errorf("only %d commands in\n%s", len(commands), help)
	}
	completed, err := exec.Command("bash", "-c", "PATH="+filepath.Dir(installed)+":$PATH; source "+filepath.Join(root, "usr/share/bash-completion/completions/dialtone")+
		"; COMP_WORDS=(dialtone se); COMP_CWORD=1; _dialtone; echo ${COMPREPLY[@]}; COMP_WORDS=(dialtone serve --sip.ud); COMP_CWORD=2; _dialtone; echo ${COMPREPLY[@]}; COMP_WORDS=(dialtone templates pu); COMP_CWORD=2; _dialtone; echo ${COMPREPLY[@]}; COMP_WORDS=(dialtone phones import --dry); COMP_CWORD=3; _dialtone; echo ${COMPREPLY[@]}").CombinedOutput()
	if err != nil || string(completed) != "serve\n--sip.udp\npush\n--dry-run\n" {
		t.Errorf("completion: %v %q", err, completed)
	}
	for shell, script := range map[string]string{
		// zsh completes only at a terminal: a compadd of ours says what it would offer.
		"zsh":  `compadd() { shift ${@[(i)--]}; print -l -- "$@" }; words=(dialtone templates pu) CURRENT=3; source ` + filepath.Join(root, "usr/share/zsh/vendor-completions/_dialtone"),
		"fish": `source ` + filepath.Join(root, "usr/share/fish/vendor_completions.d/dialtone.fish") + `; complete -C "dialtone templates pu"`,
	} {
		complete := exec.Command(testkit.Need(t, shell), "-c", script)
		complete.Env = append(os.Environ(), "PATH="+filepath.Dir(installed)+":"+os.Getenv("PATH"), "HOME="+dir)
		out, err := complete.CombinedOutput()
		if err != nil || !strings.Contains("\n"+string(out), "\npush") {
			t.Errorf("%s: %v %s", shell, err, out)
		}
	}
	verifyUnit(t, filepath.Join(root, "lib/systemd/system/dialtone.service"), installed)
}

// verifyUnit asks systemd about the unit, where there is one.
func verifyUnit(t *testing.T, unit, program string) {
	t.Helper()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd is not installed: the unit is not verified")
		return
	}
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	here := writeFile(t, filepath.Join(t.TempDir(), "dialtone.service"), strings.ReplaceAll(string(text), "/usr/bin/dialtone", program))
	if out, err := exec.Command(analyze, "verify", "--man=no", here).CombinedOutput(); err != nil || strings.Contains(string(out), "dialtone.service") {
		t.Errorf("systemd-analyze verify: %v %s", err, out)
	}
}

func gunzip(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every metric of the alerts and the board is one that the program has.
func TestMonitoringNamesMetrics(t *testing.T) {
	t.Parallel()
	var sources strings.Builder
	err := filepath.WalkDir("../..", func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "data") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			text, err := os.ReadFile(name)
			sources.Write(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range []string{"alerts.yaml", "grafana.json"} {
		text, err := os.ReadFile("../../docs/monitoring/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`dialtone_[a-z_]+`).FindAllString(string(text), -1) {
			name = strings.TrimSuffix(name, "_bucket")
			if strings.HasSuffix(name, "_") || name == "dialtone_location" {
				continue // a pattern
			}
			seen++
			part, location := strings.CutPrefix(name, "dialtone_location_")
			if !strings.Contains(sources.String(), `"`+name+`"`) && (!location || !strings.Contains(sources.String(), `"`+part+`"`)) {
				t.Errorf("%s: no metric is called %s", file, name)
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d names were looked at", seen)
	}
}
