package e2e

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// planted are the secrets of a run by what they are. Each is in one field only, so
// that a leak says where it came from.
type planted map[string]string

// A secret that was planted is found nowhere but in the phone's own file: not in
// logs, metrics, the database, Redis, files, events, the audit trail, what commands
// print, or any answer to somebody who may only read.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		secretsStayInside(t, planted{}, nil, 3)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		u, err := url.Parse(postgres.URL(t))
		if err != nil {
			t.Fatal(err)
		}
		dump := func() string {
			out, err := exec.Command(testkit.Need(t, "pg_dump"), u.String()).CombinedOutput()
			if err != nil {
				t.Fatalf("%v %s", err, out)
			}
			return string(out)
		}
		s := planted{"database password": "Pl4nted-database", "master key": strings.Repeat("a1b2c3d4", 8), "configured adminPassword": "Pl4nted-menu"}
		u.User = url.UserPassword(u.User.Username(), s["database password"]) // the test server trusts everybody
		secretsStayInside(t, s, dump, 1, "--database.url", u.String(), "--master_key", s["master key"], "--provision.admin_password", s["configured adminPassword"])
	})
}

// secretsStayInside is the test; keys is how many files of the data directory are keys.
func secretsStayInside(t *testing.T, s planted, dump func() string, keys int, args ...string) {
	socket, cli := startRedis(t)
	s["redis password"] = "Pl4nted-redis"
	cli("config", "set", "requirepass", s["redis password"])
	ask := func(args ...string) string {
		return cli(append([]string{"--no-auth-warning", "-a", s["redis password"]}, args...)...)
	}
	h := newHook(t)
	h.secret = "Pl4nted-webhook-secret"
	s["webhook secret"], s["webhook token"] = h.secret, "Pl4nted-webhook-token"
	args = append(args, "--redis.url", strings.Replace(socket, "unix://", "unix://:"+s["redis password"]+"@", 1),
		"--log.level", "debug", "--webhook.url", h.url+"/?token="+s["webhook token"], "--webhook.secret", s["webhook secret"], "--provision.http_auth", "basic", "--provision.enroll", "pending", "--provision.claim_codes=true")
	d := serve(t, args...)
	events := d.listen()
	id := d.plant(s)
	d.provoke(s)

	outside := map[string]string{}
	d.collect(outside, id)
	for key := range strings.FieldsSeq(ask("--scan")) {
		outside["redis "+key] = ask("--no-raw", "dump", key)
		if strings.Contains(key, ":contact:") {
			outside["redis "+key] = ask("get", key)
		}
		if strings.HasSuffix(key, ":ev") || strings.HasSuffix(key, ":events") { // a dump is compressed
			outside["redis "+key] = ask("xrange", key, "-", "+")
		}
	}
	if dump != nil {
		outside["pg_dump"] = dump()
	}
	eventually(t, 20*time.Second, "the webhook was told", func() bool { return h.bodies.String() != "" })
	outside["webhook"] = h.bodies.String()
	d.supported(outside, append([]string{"--admin.listen", d.addr["admin"]}, args...)...)
	d.backedUp(outside, keys, args...)
	outside["check"] = command(t, d, "check", args...)
	outside["doctor"] = command(t, d, "doctor", args...)
	eventually(t, 10*time.Second, "events", func() bool { return strings.Contains(events.String(), "event:") })
	if err := d.kill(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	outside["log"], outside["events"] = d.log.String(), events.String()
	d.files(outside)
	for _, where := range []string{"log", "events", "check", "/metrics", "/v1/pbx/phones", "/", "webhook", "redis dialtone:events", "support config.txt", "support log.txt", "offline support config.txt", "backup tls/ca.pem"} {
		if outside[where] == "" {
			t.Errorf("nothing was collected of %s", where)
		}
	}
	for what, secret := range s {
		if len(secret) < 8 {
			t.Errorf("%s is %q", what, secret)
		}
		for where, text := range outside {
			if strings.Contains(text, secret) {
				t.Errorf("the %s is in %s", what, where)
			}
		}
	}
}

// plant puts a secret into every field that takes one, and notes those that were
// made here.
func (d *daemon) plant(s planted) (id string) {
	d.t.Helper()
	for _, name := range []string{"extension password", "adminPassword", "userPassword", "raw parameter", "layer adminPassword", "layer userPassword", "layer raw parameter", "line parameter"} {
		s[name] = "Pl4nted-" + strings.ReplaceAll(name, " ", "-")
	}
	create := func(want int, method, path string, body, out any) {
		d.t.Helper()
		status, text := d.raw(method, path, body)
		if status != want {
			d.t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
		if out != nil {
			if err := json.Unmarshal(text, out); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	create(201, "POST", "/v1/pbx/extensions", map[string]string{"number": "101", "name": "Front Desk", "sipUsername": "101_desk", "sipPassword": s["extension password"]}, nil)
	var rotated credentials
	create(201, "POST", "/v1/pbx/extensions", map[string]string{"number": "102"}, &rotated)
	s["password before rotation"] = rotated.SIPPassword
	create(200, "POST", "/v1/pbx/extensions/102/credentials", nil, &rotated)
	s["password after rotation"] = rotated.SIPPassword
	create(200, "PUT", "/v1/pbx/settings/vendor/yealink", map[string]any{"settings": map[string]string{
		"userPassword": s["layer userPassword"], "network.802_1x.md5_password": s["layer raw parameter"],
	}}, nil)
	create(200, "PUT", "/v1/pbx/settings/global", map[string]any{"settings": map[string]string{"adminPassword": s["layer adminPassword"]}}, nil)
	var p listed
	create(201, "POST", "/v1/pbx/phones", map[string]any{
		"macAddress": "001565aabb01", "model": "T46S", "lines": []any{map[string]any{"line": 1, "extensionNumber": "101"}},
		"settings": map[string]string{"adminPassword": "first-" + s["adminPassword"], "ldap.password": s["raw parameter"]},
	}, &p)
	create(200, "PATCH", "/v1/pbx/phones/"+p.ID, map[string]any{"settings": map[string]string{
		"adminPassword": s["adminPassword"], "userPassword": s["userPassword"], "ldap.password": s["raw parameter"], "account.1.sip_server.2.password": s["line parameter"],
	}}, nil)
	var token struct{ Token, URL string }
	status, text := d.raw("POST", "/v1/pbx/phones/"+p.ID+"/token", nil)
	if err := json.Unmarshal(text, &token); err != nil || status/100 != 2 || token.Token == "" {
		d.t.Fatalf("token: %d %s", status, text)
	}
	s["enrollment token"] = token.Token
	var key struct{ Key string }
	create(201, "POST", "/v1/pbx/keys", map[string]any{"name": "ci", "scopes": []string{"pbx:phones:read"}}, &key)
	s["api key"], s["admin key"] = key.Key, d.key
	return p.ID
}

// provoke makes the daemon handle the secrets: right and wrong passwords over SIP,
// HTTP and the API, the token, and an upload.
func (d *daemon) provoke(s planted) {
	d.t.Helper()
	fetch := fetchers(d.t.(*testing.T), d)
	body := string(fetch["tftp-hpa"]("001565aabb01.cfg"))
	for what, key := range map[string]string{
		"minted password": "account.1.password", "steady token": "auto_provision.server.url", "HTTP password": "auto_provision.server.password",
	} {
		for line := range strings.Lines(body) {
			if name, value, ok := strings.Cut(line, "="); ok && strings.HasSuffix(strings.TrimSpace(name), key) {
				s[what] = strings.TrimSpace(value)
			}
		}
	}
	if found := authName.FindStringSubmatch(body); found == nil {
		d.t.Errorf("no auth_name in\n%s", body)
	} else if err := sippRegister(d.t, d.addr["sip.udp"], "udp", "101", found[1], s["minted password"], "Yealink SIP-T42S 66.86.0.15", 60); err != nil {
		d.t.Error(err) // as another model than provisioned, which the webhook is told
	}
	if _, path, ok := strings.Cut(s["steady token"], "/p/"); ok {
		s["steady token"] = strings.Trim(path, "/")
	}
	for _, want := range []string{"minted password", "steady token", "HTTP password", "enrollment token"} {
		if s[want] == "" {
			d.t.Errorf("the phone's own file has no %s:\n%s", want, body)
		}
	}
	for _, want := range []string{"adminPassword", "userPassword", "raw parameter", "layer raw parameter", "line parameter"} {
		if !strings.Contains(body, s[want]) {
			d.t.Errorf("the phone's own file has no %s:\n%s", want, body)
		}
	}
	s["guessed password"], s["guessed key"] = "Pl4nted-guessed-password", "do_live_Pl4ntedGuessedKey00000000000000"
	for _, try := range []struct{ user, password string }{{"101_desk", s["extension password"]}, {"101_desk", s["guessed password"]}} {
		_ = sippRegister(d.t, d.addr["sip.udp"], "udp", "101", try.user, try.password, "sipp", 60) // one of them fails, as it shall
	}
	curl := testkit.Need(d.t, "curl")
	files, admin := "http://"+d.addr["http"], "http://"+d.addr["admin"]
	for _, args := range [][]string{
		{"-u", "001565aabb01:" + s["HTTP password"], files + "/001565aabb01.cfg"},
		{"-u", "001565aabb01:" + s["guessed password"], files + "/001565aabb01.cfg"},
		{"-u", "001565aabb01:" + s["HTTP password"], "-T", "/etc/hostname", files + "/001565aabb01-app.log"},
		{files + "/p/" + s["enrollment token"] + "/001565aabb01.cfg"},
		{files + "/p/" + s["steady token"] + "/001565aabb01.cfg"},
		{files + "/p/" + s["steady token"] + "/nothing.cfg"},
		{files + "/805ec0000001.cfg"},
		{"-H", "Authorization: Bearer " + s["guessed key"], admin + "/v1/pbx/phones"},
		{"-d", `{"key":"` + s["guessed key"] + `"}`, "-H", "Content-Type: application/json", admin + "/v1/pbx/session"},
		{"-H", "Authorization: Bearer " + s["admin key"], "-H", "Content-Type: application/json", "-d", `{"number":"103","sipPassword":"` + s["guessed password"] + `","nonsense":1}`, admin + "/v1/pbx/extensions"},
	} {
		if out, err := exec.Command(curl, append([]string{"-sS", "-m", "10", "-o", "/dev/null"}, args...)...).CombinedOutput(); err != nil {
			d.t.Errorf("curl %v: %v %s", args, err, out)
		}
	}
}

var authName = regexp.MustCompile(`(?m)^account\.1\.auth_name *= *(\S+)$`)

// collect asks everything that a key which may only read can ask, what needs no
// key, and the audit trail.
func (d *daemon) collect(outside map[string]string, id string) {
	d.t.Helper()
	outside["/v1/pbx/audit"] = d.must("GET", "/v1/pbx/audit?limit=500", nil)
	outside["/v1/pbx/keys"] = d.must("GET", "/v1/pbx/keys", nil)
	admin := d.key
	defer func() { d.key = admin }()
	var key struct{ Key string }
	d.call("POST", "/v1/pbx/keys", map[string]any{"name": "reader", "scopes": []string{"pbx:phones:read", "pbx:extensions:read", "pbx:templates:read", "pbx:firmware:read"}}, &key)
	d.key = key.Key
	phone := "/v1/pbx/phones/" + id
	for _, path := range []string{
		"/v1/pbx/phones", "/v1/pbx/phones/export", "/v1/pbx/phones/stats", phone, phone + "/timeline", phone + "/settings", phone + "/config", phone + "/config?file=001565aabb01.cfg",
		phone + "/config?file=001565aabb01.cfg&explain=1", phone + "/uploads", phone + "/firmware", "/v1/pbx/settings", "/v1/pbx/settings/global", "/v1/pbx/settings/vendor/yealink",
		"/v1/pbx/settings/uses?name=adminPassword", "/v1/pbx/settings/schema", "/v1/pbx/extensions", "/v1/pbx/extensions/101", "/v1/pbx/extensions/102", "/v1/pbx/extensions/101/contacts",
		"/v1/pbx/enrollment", "/v1/pbx/bans", "/v1/pbx/jobs", "/v1/pbx/templates", "/v1/pbx/templates/yealink-phone", "/v1/pbx/firmware", "/v1/pbx/dhcp/snippets",
		"/metrics", "/readyz", "/openapi.json", "/",
	} {
		outside[path] = d.must("GET", path, nil)
	}
	preview := map[string]any{"name": "yealink-phone", "content": "#!version:1.0.0.1\nx = {{.AdminPassword}}\n", "phoneId": id}
	if status, text := d.raw("POST", "/v1/pbx/templates/preview", preview); status != http.StatusOK {
		d.t.Errorf("preview: %d %s", status, text)
	} else {
		outside["preview"] = string(text)
	}
}

func (d *daemon) must(method, path string, body any) string {
	d.t.Helper()
	status, text := d.raw(method, path, body)
	if status != http.StatusOK {
		d.t.Errorf("%s %s: %d %s", method, path, status, text)
	}
	return string(text)
}

// listen reads the event stream until the test ends, from now or after an event.
func (d *daemon) listen(after ...string) *syncBuffer {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+d.addr["admin"]+"/v1/pbx/events", http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.key)
	for _, id := range after {
		req.Header.Set("Last-Event-ID", id)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	out := &syncBuffer{}
	go func() {
		defer res.Body.Close()
		_, _ = io.Copy(out, res.Body) // ends with the daemon
	}()
	return out
}

// files adds all files of the data directory but those that are keys by their name.
func (d *daemon) files(outside map[string]string) {
	d.t.Helper()
	err := filepath.WalkDir(d.dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "admin.key" {
			return err
		}
		text, err := os.ReadFile(name)
		outside[name] = string(text)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// supported adds the files of a support bundle, of the server that runs and of one that
// does not answer.
func (d *daemon) supported(outside map[string]string, args ...string) {
	d.t.Helper()
	for what, more := range map[string][]string{"support ": nil, "offline support ": {"--server", "http://127.0.0.1:1"}} {
		to := filepath.Join(d.t.TempDir(), "bundle.zip")
		list := append(append([]string{"support", "--to", to, "--data_dir", d.dir}, args...), more...)
		if out, err := exec.Command(binary, list...).CombinedOutput(); err != nil {
			d.t.Fatalf("support: %v %s", err, out)
		}
		z, err := zip.OpenReader(to)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				d.t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil || strings.Contains(string(text), "not complete: ") {
				d.t.Errorf("%s: %v %s", f.Name, err, text)
			}
			outside[what+f.Name] = string(text)
		}
		if err := z.Close(); err != nil {
			d.t.Error(err)
		}
	}
	for name, want := range map[string]string{
		"config.txt": "redis.url = [redacted]   # not the default", "listeners.txt": "sip.udp", "metrics.txt": "dialtone_build_info",
		"ready.json": `"name": "inventory"`, "stats.json": `"Registered": `, "schema.txt": "0011_webhook.sql", "version.txt": "github.com/",
		"goroutines.txt": "goroutine profile", "log.txt": "msg=serving", "data_dir.txt": "admin.key", "README.txt": "support bundle",
	} {
		if text := outside["support "+name]; !strings.Contains(text, want) {
			d.t.Errorf("%s of the support bundle has no %q:\n%s", name, want, text)
		}
	}
}

// backedUp adds what a backup holds without the keys, which are files of their own in it:
// who gets hold of the rest learns no password.
func (d *daemon) backedUp(outside map[string]string, want int, args ...string) {
	d.t.Helper()
	to := filepath.Join(d.t.TempDir(), "backup.tar.gz")
	if out, err := exec.Command(binary, append([]string{"backup", "--to", to, "--data_dir", d.dir}, args...)...).CombinedOutput(); err != nil {
		d.t.Fatalf("backup: %v %s", err, out)
	}
	f, err := os.Open(to)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		d.t.Fatal(err)
	}
	keys := 0
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		text, readErr := io.ReadAll(t)
		if err := errors.Join(err, readErr); err != nil {
			d.t.Fatal(err)
		}
		switch filepath.Base(h.Name) {
		case "secret.key", "admin.key", "phone-admin.password":
			keys++
		default:
			outside["backup "+h.Name] = string(text)
		}
	}
	if keys != want {
		d.t.Errorf("%d keys in the backup, want %d", keys, want)
	}
}

// command is what a command of the same configuration prints.
func command(t *testing.T, d *daemon, name string, args ...string) string {
	t.Helper()
	list := []string{name}
	if name == "doctor" { // its own flags come after the kind of question
		list = append(list, "dhcp", "--mac", "00:15:65:aa:bb:01")
	}
	list = append(append(list, "--data_dir", d.dir), args...)
	cmd := exec.Command(binary, list...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v %s", name, err, out)
	}
	return string(out)
}
