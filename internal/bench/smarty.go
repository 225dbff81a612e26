package bench

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"pbx.dev/dialtone/templates"
)

// The peer that renders: our own template in Smarty's language, with what feeds it.
var (
	//go:embed smarty.cfg.tpl
	smartyTemplate []byte
	//go:embed smarty.php
	smartyScript []byte
)

// SmartyLibrary is where Debian puts Smarty, empty: neither smarty4 nor smarty3 is
// installed.
func SmartyLibrary() string {
	for _, version := range []string{"smarty4", "smarty3"} {
		if file := "/usr/share/php/" + version + "/Smarty.class.php"; isFile(file) {
			return file
		}
	}
	return ""
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// Smarty renders the file of the T46S under Smarty for a time, as Render does under
// dialtone: the same phones, and the very same bytes, else it is an error. dir is for
// its files. With reuse one Smarty object renders all, else each file has its own.
func Smarty(ctx context.Context, library, dir string, d time.Duration, reuse bool) (RenderResult, error) {
	var r RenderResult
	phones, want, err := smartyPhones(100)
	if err != nil {
		return r, err
	}
	template, script, first := filepath.Join(dir, "smarty.cfg.tpl"), filepath.Join(dir, "smarty.php"), filepath.Join(dir, "first.cfg")
	for name, text := range map[string][]byte{template: smartyTemplate, script: smartyScript} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return r, fmt.Errorf("smarty: %w", err)
		}
	}
	mode := "new"
	if reuse {
		mode = "reuse"
	}
	cmd := exec.CommandContext(ctx, "php", "-d", "opcache.enable_cli=1", "-d", "opcache.file_update_protection=0", // #nosec: the arguments are ours
		script, library, template, filepath.Join(dir, "compiled"), fmt.Sprint(d.Seconds()), mode, first)
	cmd.Stdin = bytes.NewReader(phones)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("smarty: %w: %.200s", err, stderr.String())
	}
	var seconds float64
	if _, err := fmt.Sscan(string(out), &r.Rendered, &seconds, &r.Bytes); err != nil {
		return r, fmt.Errorf("smarty says %.200q: %w", out, err)
	}
	r.CPU = time.Duration(seconds * float64(time.Second))
	got, err := os.ReadFile(first)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("smarty writes %.40q where we write %.40q", got[commonLength(got, want):], want[commonLength(got, want):])
	}
	return r, err
}

// smartyPhones is the first n phones as JSON, and the file of the first one.
func smartyPhones(n int) (phones, first []byte, err error) {
	all := make([]map[string]any, n)
	for i := range all {
		v, err := T46S(i)
		if err != nil {
			return nil, nil, err
		}
		if i == 0 {
			var b bytes.Buffer
			if err := templates.Builtin().Render(&b, "yealink/phone", v); err != nil {
				return nil, nil, err
			}
			first = b.Bytes()
		}
		if all[i], err = plainView(v); err != nil {
			return nil, nil, err
		}
	}
	phones, err = json.Marshal(all)
	return phones, first, err
}

// plainView is a view of T46S as a peer reads it, with the secrets that T46S gave it,
// since secrets do not print themselves.
func plainView(v templates.View) (map[string]any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out struct {
		Lines []map[string]any
	}
	all := map[string]any{}
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	for i, l := range out.Lines {
		l["Password"] = linePassword(v.Lines[i].User)
	}
	all["Lines"], all["AdminPassword"], all["UserPassword"] = out.Lines, adminPassword, ""
	return all, nil
}

// The secrets of T46S.
const adminPassword = "adminpw"

func linePassword(user string) string { return "secret" + user }

func commonLength(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
