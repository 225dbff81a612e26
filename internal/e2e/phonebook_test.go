package e2e

import (
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"pbx.dev/dialtone/internal/testkit"
)

// The phone book of each vendor, from where the phone's own file says it is and with
// the password that the file gives, and not without: 1100 extensions, the last of
// which are on the second page of a Yealink and in no file of the others.
func TestPhoneBooksByCurl(t *testing.T) {
	t.Parallel()
	d := serve(t, "--provision.http_auth", "digest")
	list := "number,name,sip_username,sip_password\n2000,R&D <Desk>,,\n"
	for n := 2001; n < 3100; n++ {
		list += fmt.Sprintf("%d,Somebody %d,,\n", n, n)
	}
	d.upload("/v1/pbx/extensions/import", list)
	d.upload("/v1/pbx/phones/import", "mac,model,extension,name,site\n0004f2abcdef,VVX 450,2000,,\n001565aabb01,T46S,2001,,\n000b82123456,GXP2170,2002,,\n")
	base := "http://" + d.addr["http"] + "/"
	for _, tt := range []struct {
		file, user, password string // what the phone reads
		book                 []string
		contacts             []int
	}{
		{"0004f2abcdef-dialtone.cfg", `device.prov.user="(.*?)"`, `device.prov.password="(.*?)"`, []string{base + "0004f2abcdef-directory.xml"}, []int{1000}},
		{
			"001565aabb01.cfg", `(?m)^remote_phonebook.data.2.username = (.*)$`, `(?m)^remote_phonebook.data.2.password = (.*)$`,
			[]string{`(?m)^remote_phonebook.data.1.url = (.*)$`, `(?m)^remote_phonebook.data.2.url = (.*)$`},
			[]int{1000, 100},
		},
		{"cfg000b82123456.xml", `<P1360>(.*)</P1360>`, `<P1361>(.*)</P1361>`, []string{`<P331>(.*)</P331>`}, []int{1000}},
	} {
		text := d.tftp(tt.file)
		read := func(form string) string {
			t.Helper()
			m := regexp.MustCompile(form).FindStringSubmatch(text)
			if m == nil {
				t.Fatalf("no %s in\n%s", form, text)
			}
			return m[1]
		}
		for i, url := range tt.book {
			if !strings.HasPrefix(url, "http") {
				url = read(url)
			}
			if !strings.HasPrefix(url, "http") { // P331 is a folder without a scheme
				url = "http://" + url + "/phonebook.xml"
			}
			if status, _ := d.fetch(url); status != "401" {
				t.Errorf("%s without a password: %s", url, status)
			}
			status, book := d.fetch("--digest", "-u", read(tt.user)+":"+read(tt.password), url)
			names := namesIn(book)
			if status != "200" || len(names) != tt.contacts[i] || i == 0 && names[0] != "R&D <Desk>" {
				t.Errorf("%s: %s, %d names, the first %.1q, want %d", url, status, len(names), names, tt.contacts[i])
			}
		}
	}
	if err := d.kill(syscall.SIGTERM); err != nil { // and its log is complete
		t.Error(err)
	}
	if said := d.log.String(); !strings.Contains(said, "phone books hold the first extensions only") {
		t.Errorf("the log does not say that there are more:\n%s", said)
	}
}

// namesIn are the names of a phone book of any vendor.
func namesIn(book string) (names []string) {
	dec := xml.NewDecoder(strings.NewReader(book))
	at := ""
	for {
		tok, err := dec.Token()
		switch tok := tok.(type) {
		case xml.StartElement:
			at = tok.Name.Local
		case xml.EndElement:
			at = ""
		case xml.CharData:
			if at == "fn" || at == "Name" || at == "FirstName" {
				names = append(names, string(tok))
			}
		}
		if err != nil {
			return names
		}
	}
}

// tftp fetches a file as phones do that have no password yet.
func (d *daemon) tftp(name string) string {
	d.t.Helper()
	host, port, err := net.SplitHostPort(d.addr["tftp"])
	if err != nil {
		d.t.Fatal(err)
	}
	out := filepath.Join(d.t.TempDir(), "file")
	if text, err := exec.Command(testkit.Need(d.t, "atftp"), "-g", "-r", name, "-l", out, host, port).CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v %s", name, err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}
