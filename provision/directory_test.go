package provision

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// entries is a directory that can grow and break.
type entries struct {
	list  []phone.Extension
	asked int
	err   error
}

func (e *entries) page(_ context.Context, after string, limit int) ([]phone.Extension, error) {
	e.asked++
	i := 0
	for after != "" && e.list[i].Number != after {
		i++
	}
	if after != "" {
		i++
	}
	return e.list[i:min(i+limit, len(e.list))], e.err
}

func people(n int) *entries {
	e := &entries{}
	for i := range n {
		e.list = append(e.list, phone.Extension{Number: fmt.Sprint(1000 + i), Name: fmt.Sprintf("R&D <%d>", i)})
	}
	return e
}

// numbers reads the numbers of a phone book, whatever its vendor calls them.
func numbers(t *testing.T, text string) (out []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	var at string
	for {
		tok, err := d.Token()
		if tok == nil {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			at = tok.Name.Local
		case xml.EndElement:
			at = ""
		case xml.CharData:
			if at == "ct" || at == "Telephone" || at == "phonenumber" {
				out = append(out, string(tok))
			}
		}
	}
}

func TestPhoneBooks(t *testing.T) {
	t.Parallel()
	dir := people(3)
	b := newBench(t, func(o *Options) { o.Directory = dir.page })
	want := []string{"1000", "1001", "1002"}
	const asGrandstream = "Grandstream Model HW GXP2170 SW 1.0.11.6 DevId 00:0b:82:12:34:56"
	for path, ua := range map[string]string{
		"/0004F2abcdef-directory.xml": "", "/805ec0aabbcc/phonebook.xml": "", "/000b82123456/phonebook.xml": "",
		"/phonebook.xml": asGrandstream, "/gs_phonebook.xml": asGrandstream,
	} {
		text, f, err := b.fetchAs(Request{Path: path, Proto: "http", Method: "GET", Source: lan, UserAgent: ua})
		if err != nil || f.ContentType != "text/xml" || cmp.Diff(want, numbers(t, text)) != "" || !strings.Contains(text, "R&amp;D &lt;1&gt;") {
			t.Errorf("%s: %v, %s\n%s", path, err, f.ContentType, text)
		}
	}
	if dir.asked != 1 {
		t.Errorf("the directory was read %d times", dir.asked)
	}
	for _, path := range []string{"/phonebook.xml", "/000000000000-directory.xml", "/805ec0aabbcc/phonebook-7.xml.x", "/000b82123456/phonebook-2.xml", "/112233445566/phonebook.xml"} {
		if _, _, err := b.fetch(path); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("%s: %v", path, err)
		}
	}
	outside := Request{Path: "/805ec0aabbcc/phonebook.xml", Method: "GET", Source: netip.MustParseAddrPort("203.0.113.9:5000")}
	if _, _, err := b.fetchAs(outside); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("from outside: %v", err)
	}
	outside.Path, outside.UserAgent = "/phonebook.xml", asGrandstream
	if _, _, err := b.fetchAs(outside); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("from outside by User-Agent: %v", err)
	}
	dir.list = append(dir.list, phone.Extension{Number: "1003"})
	if text, _, _ := b.fetch("/805ec0aabbcc/phonebook.xml"); len(numbers(t, text)) != 3 {
		t.Error("read again without a change")
	}
	b.DirectoryChanged()
	if text, _, _ := b.fetch("/805ec0aabbcc/phonebook.xml"); len(numbers(t, text)) != 4 || !strings.Contains(text, "<Name>1003</Name>") {
		t.Errorf("after a change:\n%s", text)
	}
}

// A directory of several files: a Yealink phone is told of all of them.
func TestPhoneBookPages(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Directory = people(2500).page })
	text, _, err := b.fetch("/805ec0aabbcc.cfg")
	for i, want := range []string{"phonebook.xml", "phonebook-2.xml", "phonebook-3.xml"} {
		line := fmt.Sprintf("remote_phonebook.data.%d.url = http://192.0.2.10:8081/805ec0aabbcc/%s\n", i+1, want)
		if err != nil || !strings.Contains(text, line) {
			t.Errorf("no %s in\n%s", line, text)
		}
		page, _, err := b.fetch("/805ec0aabbcc/" + want)
		if got := numbers(t, page); err != nil || len(got) != min(1000, 2500-1000*i) || got[0] != fmt.Sprint(1000+1000*i) {
			t.Errorf("%s: %v, %d numbers", want, err, len(got))
		}
	}
	if strings.Contains(text, "data.4.") {
		t.Error("there is no fourth page")
	}
}

// What a Polycom speed dial key dials stands in the directory.
func TestSpeedDialsOfPolycom(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Directory = people(1).page })
	d := device(phone.Polycom, polyMAC)
	d.Settings = map[string]string{"keys.3.value": "0911", "keys.3.label": "Taxi", "keys.4.type": "blf", "keys.4.value": "102"}
	b.shelf.devices[polyMAC] = d
	text, _, err := b.fetch("/0004f2abcdef-directory.xml")
	if err != nil || !strings.Contains(text, "<fn>Taxi</fn><ct>0911</ct><sd>3</sd>") || cmp.Diff([]string{"0911", "1000"}, numbers(t, text)) != "" {
		t.Errorf("%v\n%s", err, text)
	}
	config, _, _ := b.fetch("/0004f2abcdef-dialtone.cfg")
	for _, want := range []string{
		`lineKey.3.category="SpeedDial" lineKey.3.index="3"`, `lineKey.4.category="BLF" lineKey.4.index="0"`,
		`attendant.resourceList.1.address="102"`, `dir.local.readonly="1"`,
	} {
		if !strings.Contains(config, want) {
			t.Errorf("no %s in\n%s", want, config)
		}
	}
}

// While the directory cannot be read, phones get their configuration all the same, and
// the database that is away is not asked with every request.
func TestDirectoryIsDown(t *testing.T) {
	t.Parallel()
	dir := people(2)
	dir.err = errors.New("no database")
	var now atomic.Int64 // seconds
	b := newBench(t, func(o *Options) {
		o.Directory = dir.page
		o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	})
	for range 3 {
		if text, _, err := b.fetch("/805ec0aabbcc.cfg"); err != nil || !strings.Contains(text, "remote_phonebook.data.1.url") {
			t.Errorf("%v\n%s", err, text)
		}
		if _, _, err := b.fetch("/805ec0aabbcc/phonebook.xml"); err == nil || errors.Is(err, phone.ErrNotFound) {
			t.Errorf("the phone book: %v", err)
		}
	}
	if dir.asked != 1 {
		t.Errorf("the directory was asked %d times", dir.asked)
	}
	dir.err = nil
	now.Add(int64(bookRetry / time.Second))
	if text, _, err := b.fetch("/805ec0aabbcc/phonebook.xml"); err != nil || len(numbers(t, text)) != 2 {
		t.Errorf("%v\n%s", err, text)
	}
}

// Whoever changes the directory does not wait for one who reads it, and what was read
// before the change is not what phones get after it.
func TestDirectoryChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	reading, changed := make(chan struct{}, 2), make(chan struct{})
	b := newBench(t, func(o *Options) {
		o.Directory = func(context.Context, string, int) ([]phone.Extension, error) {
			reading <- struct{}{}
			<-changed
			return []phone.Extension{{Number: "1000"}}, nil
		}
	})
	done := make(chan error, 1)
	go func() {
		_, _, err := b.fetch("/805ec0aabbcc/phonebook.xml")
		done <- err
	}()
	<-reading
	b.DirectoryChanged()
	close(changed)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.fetch("/805ec0aabbcc/phonebook.xml"); err != nil {
		t.Fatal(err)
	}
	if len(reading) != 1 {
		t.Error("the directory was not read again after the change")
	}
}
