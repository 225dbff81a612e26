package config

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

var compareSecrets = cmp.Comparer(func(a, b phone.Secret) bool { return a.Reveal() == b.Reveal() })

func TestExampleIsTheDefault(t *testing.T) {
	t.Parallel()
	var c Config
	if err := Parse(&c, Example()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), c, compareSecrets); diff != "" {
		t.Errorf("example.yaml differs from Default (-default +example):\n%s", diff)
	}
}

func TestExampleMentionsEverySetting(t *testing.T) {
	t.Parallel()
	// Every setting starts away from its default, so that one left out shows.
	c := Config{}
	marked := settings(&c)
	for _, s := range marked {
		text := "7"
		if s.value.Kind() == reflect.Bool {
			text = "false" // every boolean's default is true
		}
		if err := s.set(text); err != nil {
			t.Fatal(s.path, err)
		}
	}
	if err := Parse(&c, Example()); err != nil {
		t.Fatal(err)
	}
	want := Default()
	for i, s := range settings(&want) {
		got, def := marked[i].value.Interface(), s.value.Interface()
		if !cmp.Equal(got, def, compareSecrets) {
			t.Errorf("%s is not in example.yaml", s.path)
		}
	}
}

func TestDefaultIsValid(t *testing.T) {
	t.Parallel()
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func load(t *testing.T, yaml string, environ []string, args ...string) (Config, error) {
	t.Helper()
	var f Flags
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	f.Register(fs)
	if yaml != "" {
		name := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(name, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", name}, args...)
	}
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(f, environ)
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	c, err := load(t, "sip: {udp: ':1', tcp: ':1', tls: ':1', max_contacts: 3}\nprovision:\n  lan: [192.0.2.0/24]\nforget_after: 7200\n",
		[]string{"DIALTONE_SIP_TCP=:2", "DIALTONE_SIP_TLS=:2", "DIALTONE_DHCP_PHONES_ONLY=false"},
		"--sip.tls", ":3", "--redis.url", "redis://x")
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.SIP.UDP, want.SIP.TCP, want.SIP.TLS, want.SIP.MaxContacts = ":1", ":2", ":3", 3
	want.Provision.LAN = []string{"192.0.2.0/24"}
	want.ForgetAfter = Duration(2 * time.Hour)
	want.DHCP.PhonesOnly = false
	want.Redis.URL = phone.NewSecret("redis://x")
	if diff := cmp.Diff(want, c, compareSecrets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(name, []byte("postgres://u:p@h/d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, yaml string
		env, args  []string
	}{
		{name: "yaml", yaml: "database: {url_file: " + name + "}"},
		{name: "env", env: []string{"DIALTONE_DATABASE_URL_FILE=" + name}},
		{name: "flag", args: []string{"--database.url_file", name}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := load(t, tt.yaml, tt.env, tt.args...)
			if err != nil || c.Database.URL.Reveal() != "postgres://u:p@h/d" {
				t.Errorf("got %q, %v", c.Database.URL.Reveal(), err)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, yaml, env, want string }{
		{"unknown key", "sip:\n  udpp: :5060\n", "", "line 2, column 3: unknown setting sip.udpp"},
		{"unknown section", "sipp: {udp: ':1'}\n", "", "unknown setting sipp"},
		{"given twice", "sip: {udp: ':1', udp: ':2'}\n", "", "udp"},
		{"section as value", "sip: 3\n", "", "sip is not a section"},
		{"value as section", "sip: {udp: {a: 1}}\n", "", "sip.udp: wants a value"},
		{"not yaml", "sip: [\n", "", "1"},
		{"digest nobody knows", "sip: {digest: [MD5, MD4]}\n", "", `sip.digest[1]: "MD4" is not one of MD5, SHA-256, SHA-512-256`},
		{"digest twice", "sip: {digest: [MD5, MD5]}\n", "", `sip.digest[1]: "MD5" is there twice`},
		{"no digest", "sip: {digest: []}\n", "", `sip.digest: is empty`},
		{"not a number", "sip: {max_contacts: many}\n", "", `sip.max_contacts: "many" is not a whole number`},
		{"not a bool", "", "DIALTONE_DHCP_PHONES_ONLY=maybe", "DIALTONE_DHCP_PHONES_ONLY"},
		{"bad listen", "sip: {udp: '5060'}\n", "", "sip.udp"},
		{"bad port", "http: {listen: ':99999'}\n", "", `http.listen: "99999" is not a port`},
		{"mode without interface", "dhcp: {mode: proxy}\n", "", "dhcp.interface"},
		{"lease without range", "dhcp: {mode: lease, interface: eth0}\n", "", "dhcp.range"},
		{"v6 without interface", "dhcp: {v6: true}\n", "", "dhcp.interface"},
		{"VLAN", "dhcp: {vlan: 4095}\n", "", "dhcp.vlan"},
		{"VLAN priority", "dhcp: {vlan_priority: 8}\n", "", "dhcp.vlan_priority"},
		{"range upside down", "dhcp: {range: 10.0.0.9-10.0.0.1}\n", "", "dhcp.range"},
		{"expires order", "sip: {min_expires: 7000, default_expires: 60}\n", "", "sip.min_expires"},
		{"zone", "provision: {timezone: Mars/Base}\n", "", "provision.timezone"},
		{"cidr", "provision: {lan: [10.0.0.1/99]}\n", "", "provision.lan[0]"},
		{"url with password", "provision: {url: 'http://u:p@h/'}\n", "", "provision.url"},
		{"cert without key", "https: {cert: a.pem}\n", "", "https.cert"},
		{"enroll", "provision: {enroll: open}\n", "", "provision.enroll"},
		{"secret twice", "redis: {url: 'redis://a', url_file: /dev/null}\n", "", "are both given"},
		{"takeover", "database: {takeover: 1ms}\n", "", "database.takeover"},
		{"advertise nowhere", "advertise: 0.0.0.0\n", "", "advertise: 0.0.0.0"},
		{"advertise to many", "advertise: 224.0.1.75\n", "", "advertise: 224.0.1.75"},
		{"two documents", "node: a\n---\nnode: b\n", "", "more than one"},
		{"database scheme", "database: {url: 'mysql://x'}\n", "", "database.url"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var env []string
			if tt.env != "" {
				env = []string{tt.env}
			}
			_, err := load(t, tt.yaml, env)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestUnknownEnv(t *testing.T) {
	t.Parallel()
	got := UnknownEnv([]string{"PATH=/", "DIALTONE_PORT=tcp://1", "DIALTONE_SIP_UDP=:1", "DIALTONE_REDIS_URL_FILE=x", "DIALTONE_SIP_UDP_FILE=x"})
	if diff := cmp.Diff([]string{"DIALTONE_PORT", "DIALTONE_SIP_UDP_FILE"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDurationRoundTrip(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, time.Second, 90 * time.Minute, 48 * time.Hour} {
		got, err := ParseDuration(Duration(d).String())
		if err != nil || time.Duration(got) != d {
			t.Errorf("%v: got %v, %v", d, got, err)
		}
	}
	if _, err := ParseDuration("soon"); err == nil {
		t.Error("soon: no error")
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	c := Default()
	c.SIP.MaxContacts = 3
	c.Redis.URL = phone.NewSecret("redis://user:password@host")
	got := map[string]string{}
	c.Describe(func(path, value string, isDefault bool) {
		if !isDefault {
			got[path] = value
		}
	})
	if diff := cmp.Diff(map[string]string{"sip.max_contacts": "3", "redis.url": "[redacted]"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestFlagsSayWhatTheyAre: --help says of every setting what the example says.
func TestFlagsSayWhatTheyAre(t *testing.T) {
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	var f Flags
	f.Register(fs)
	fs.VisitAll(func(one *flag.Flag) {
		if strings.Trim(one.Usage, " .") == "" || strings.HasPrefix(one.Usage, "(default") {
			t.Errorf("--%s says nothing: %q", one.Name, one.Usage)
		}
	})
	if got := fs.Lookup("sip.max_contacts").Usage; !strings.HasSuffix(got, "(default 10)") {
		t.Errorf("sip.max_contacts: %q", got)
	}
}
