package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A password that was planted is found nowhere but in the phone's own file:
// not in logs, metrics, the database, Redis or any API answer after the first.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	url, cli := startRedis(t)
	d := serve(t, "--redis.url", url, "--log.level", "debug")
	const planted = "Pl4nted-S3cret"
	body := map[string]string{"number": "101", "name": "Front Desk", "sipUsername": "101_desk", "sipPassword": planted}
	if status, text := d.raw("POST", "/v1/pbx/extensions", body); status != 201 || !strings.Contains(string(text), planted) {
		t.Fatalf("%d %s", status, text)
	}
	p := d.phone("001565aabb01", "T46S", "101")
	_, auth, minted := rendered(t, d, "001565aabb01")
	if err := sippRegister(t, d.addr["sip.udp"], "udp", "101", "101_desk", planted, "sipp", 60); err != nil {
		t.Fatal(err)
	}
	if err := sippRegister(t, d.addr["sip.tcp"], "tcp", "101", auth, minted, "Yealink SIP-T46S 66.86.0.15", 60); err != nil {
		t.Fatal(err)
	}
	if err := sippRegister(t, d.addr["sip.udp"], "udp", "101", auth, "wrong-"+planted, "sipp", 60); err == nil {
		t.Error("a wrong password registered")
	}

	outside := map[string]string{"log": d.log.String()}
	for _, path := range []string{
		"/v1/pbx/phones", "/v1/pbx/phones/" + p.ID, "/v1/pbx/phones/" + p.ID + "/timeline", "/v1/pbx/phones/" + p.ID + "/config?file=001565aabb01.cfg",
		"/v1/pbx/extensions", "/v1/pbx/extensions/101", "/v1/pbx/extensions/101/contacts", "/v1/pbx/keys", "/metrics", "/readyz", "/openapi.json",
	} {
		status, text := d.raw("GET", path, nil)
		if status != 200 {
			t.Errorf("%s: %d %s", path, status, text)
		}
		outside[path] = string(text)
	}
	for key := range strings.FieldsSeq(cli("--scan")) {
		outside["redis "+key] = cli("--no-raw", "dump", key)
		if strings.Contains(key, ":contact:") {
			outside["redis "+key] = cli("get", key)
		}
	}
	admin := d.key
	if err := d.kill(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	err := filepath.WalkDir(d.dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "admin.key" {
			return err
		}
		text, err := os.ReadFile(name)
		outside[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range outside {
		for what, secret := range map[string]string{"extension password": planted, "minted password": minted, "admin key": admin} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s is in %s", what, where)
			}
		}
	}
}
