package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/simphone"
)

// Every model of the catalogue is imported, boots as a simulated phone from the files
// that it asks for, finds its line in them and registers it.
func TestEveryModelBootsAndRegisters(t *testing.T) {
	t.Parallel()
	d := serve(t)
	blocks := map[phone.Vendor][3]byte{phone.Polycom: {0x00, 0x04, 0xf2}, phone.Yealink: {0x80, 0x5e, 0xc0}, phone.Grandstream: {0x00, 0x0b, 0x82}}
	var phones []simphone.Options
	extensions, devices := "number,name,sip_username,sip_password\n", "mac,model,extension,name,site\n"
	for _, v := range phone.Vendors() {
		for _, m := range catalog.Models(v) {
			n := len(phones)
			mac := phone.MAC{blocks[v][0], blocks[v][1], blocks[v][2], 0xaa, byte(n >> 8), byte(n)}
			phones = append(phones, simphone.Options{Vendor: v, MAC: mac, Model: m.Name, Server: "http://" + d.addr["http"]})
			extensions += fmt.Sprintf("%d,%s,,\n", 1000+n, m.Name)
			devices += fmt.Sprintf("%s,%s,%d,,\n", mac, m.Name, 1000+n)
		}
	}
	d.upload("/v1/pbx/extensions/import", extensions)
	d.upload("/v1/pbx/phones/import", devices)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, o := range phones {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			bootOnce(ctx, t, o)
		})
	}
	wg.Wait()
	var stats struct{ Stats struct{ TotalPhones int } }
	d.call("GET", "/v1/pbx/phones/stats", nil, &stats)
	if len(phones) < 230 || stats.Stats.TotalPhones != len(phones) {
		t.Errorf("%d models, %d phones: a registration was taken for another phone", len(phones), stats.Stats.TotalPhones)
	}
}

// bootOnce plugs a phone in until its line is registered.
func bootOnce(ctx context.Context, t *testing.T, o simphone.Options) {
	ctx, unplug := context.WithCancel(ctx)
	defer unplug()
	var said strings.Builder
	registered := false
	o.Out, o.Abrupt = &said, true
	o.Registered = func() { registered = true; unplug() }
	p, err := simphone.New(o)
	if err == nil {
		err = p.Run(ctx)
	}
	if !registered || err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("%s %s: %v\n%s", o.Vendor, o.Model, err, said.String())
	}
}

// upload sends text/csv.
func (d *daemon) upload(path, text string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, "http://"+d.addr["admin"]+path, strings.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.key)
	req.Header.Set("Content-Type", "text/csv")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode >= 300 {
		d.t.Fatalf("%s: %s %s", path, res.Status, body)
	}
}

// Each layer goes before those below it, and each rule of merging does what
// docs/SETTINGS.md says: from the API into the file that the phone gets.
func TestLayersFromTheAPIToTheFile(t *testing.T) {
	t.Parallel()
	d := serve(t)
	if status := d.call("POST", "/v1/pbx/extensions", map[string]string{"number": "101", "name": "Front Desk"}, nil); status != 201 {
		t.Fatal(status)
	}
	var made struct{ ID string }
	d.call("POST", "/v1/pbx/phones", map[string]any{
		"macAddress": "80:5e:c0:aa:bb:cc", "model": "T46S", "site": "Berlin",
		"lines": []map[string]any{{"line": 1, "extensionNumber": "101"}, {"line": 2, "extensionNumber": "101"}}, "settings": map[string]string{"group": "sales"},
	}, &made)
	file := func() string {
		t.Helper()
		res, err := http.Get("http://" + d.addr["http"] + "/805ec0aabbcc.cfg")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return string(text)
	}
	var last map[string]any // of the phone: a PATCH takes away what is null
	put := func(layer string, set map[string]any) {
		t.Helper()
		method, path, body := "PUT", "/v1/pbx/settings/"+layer, map[string]any{"settings": set}
		if layer == "phone" {
			for name := range last {
				if _, ok := set[name]; !ok {
					set[name] = nil
				}
			}
			set["group"], last = "sales", set
			method, path = "PATCH", "/v1/pbx/phones/"+made.ID
		}
		if status, text := d.raw(method, path, body); status >= 300 {
			t.Fatalf("%s: %d %s", path, status, text)
		}
	}
	layers := []string{"global", "site/Berlin", "vendor/yealink", "model/T46S", "group/sales", "phone"}
	for i, layer := range layers {
		put(layer, map[string]any{"syslog.server": fmt.Sprintf("log%d.example.com", i), "expires": 600 + i})
		want := []string{fmt.Sprintf("\nstatic.syslog.server = log%d.example.com\n", i), fmt.Sprintf("\naccount.2.sip_server.1.expires = %d\n", 600+i)}
		for _, w := range want {
			if text := file(); !strings.Contains(text, w) {
				t.Errorf("after %s no %q in\n%s", layer, w, text)
			}
		}
	}
	put("phone", map[string]any{"lines.2.expires": 777})
	if text := file(); !strings.Contains(text, "\naccount.1.sip_server.1.expires = 604\n") || !strings.Contains(text, "\naccount.2.sip_server.1.expires = 777\n") {
		t.Errorf("line 2 is not above the phone:\n%s", text)
	}
	rules(t, put, file)
	var answer struct{ Warnings []string }
	d.call("PUT", "/v1/pbx/settings/global", map[string]any{"settings": map[string]any{"account.1.codex": 1, "timezone": "Africa/Casablanca"}}, &answer)
	if len(answer.Warnings) != 4 { // one of the name, one of the zone for each vendor
		t.Errorf("warnings are %q", answer.Warnings)
	}
	valuesThatCannotBeSaid(t, d, made.ID)
	if err := d.kill(syscall.SIGTERM); err != nil { // and its log is complete
		t.Error(err)
	}
	for _, w := range answer.Warnings {
		if !strings.Contains(d.log.String(), w) {
			t.Errorf("the log has no %q:\n%s", w, d.log)
		}
	}
}

// rules changes layers by each operator and looks for what comes of it.
func rules(t *testing.T, put func(string, map[string]any), file func() string) {
	t.Helper()
	for _, tt := range []struct {
		name         string
		layer        string
		set          map[string]any
		holds, lacks string
	}{
		{"a list", "global", map[string]any{"codecs": "pcma,pcmu", "keys.1.value": "201", "keys.2.value": "202", "vlan.id": 12}, "account.1.codec.pcmu.priority = 2", "codec.g722.priority"},
		{"appended to", "site/Berlin", map[string]any{"codecs+": "g722"}, "account.1.codec.g722.priority = 3", ""},
		{"replaced", "vendor/yealink", map[string]any{"codecs": "opus"}, "account.1.codec.opus.priority = 1", "codec.pcma.priority"},
		{"appended to what was replaced", "group/sales", map[string]any{"codecs+": "g729"}, "account.1.codec.g729.priority = 2", ""},
		{"unset", "model/T46S", map[string]any{"vlan.id-": ""}, "linekey.1.value = 201", "internet_port_vid"},
		{"unset with all below", "phone", map[string]any{"keys-": "", "keys.3.value": "203"}, "linekey.3.value = 203", "linekey.1."},
		{"unset of one key", "phone", map[string]any{"keys.1-": ""}, "linekey.2.value = 202", "linekey.1."},
		{"a raw parameter wins", "group/sales", map[string]any{"account.1.codec.opus.priority": 9}, "\naccount.1.codec.opus.priority = 9", ""},
		{"and can be unset", "phone", map[string]any{"account.1.codec-": ""}, "account.1.codec.opus.priority = 1", "priority = 9"},
	} {
		put(tt.layer, tt.set)
		if text := file(); !strings.Contains(text, tt.holds) || tt.lacks != "" && strings.Contains(text, tt.lacks) {
			t.Errorf("%s: want %q and no %q in\n%s", tt.name, tt.holds, tt.lacks, text)
		}
	}
}
