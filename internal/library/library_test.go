package library

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// sampleFiles renders every phone as a sample of its vendor with its name in it.
type sampleFiles struct{}

func (sampleFiles) With(_ context.Context, d phone.Device, c templates.Choice) ([]byte, error) {
	v := templates.Samples(d.Vendor, d.Model)[0].View
	v.Lines[0].DisplayName = d.Name
	var b bytes.Buffer
	err := c.Set.RenderMasked(&b, c.File, v)
	return b.Bytes(), err
}

func newLibrary(t *testing.T, store *inventory.Store) (*Service, *templates.Live) {
	t.Helper()
	builtin, _ := templates.NewLibrary(templates.Builtin())
	live := templates.NewLive(builtin)
	s, err := New(t.Context(), Options{
		Reader: store, Writer: store, Devices: store, Files: sampleFiles{}, Live: live, FirmwareOf: func(phone.Device) string { return "" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, live
}

func openStore(t *testing.T) *inventory.Store {
	t.Helper()
	store, err := inventory.Open(t.Context(), inventory.Options{Dir: t.TempDir(), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

const mine = "#!version:1.0.0.1\nmine.name = {{range .Lines}}{{.DisplayName}}{{end}}\n"

func draft(text string) phone.TemplateDraft {
	return phone.TemplateDraft{TemplateContent: phone.TemplateContent{Text: text}, Activate: true, By: "key_1"}
}

// A template that this program cannot use any more (it was stored by an older one)
// does not keep the server from starting: phones get the built-in one, and it says so.
func TestBrokenTemplateInTheStore(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	_, _, err := store.CreateTemplate(t.Context(), phone.Template{Name: "old", Vendor: phone.Yealink, File: "phone"}, draft("{{goneSince2025}}"))
	if err != nil {
		t.Fatal(err)
	}
	s, live := newLibrary(t, store)
	if c := live.Library().Pick("yealink/phone", "", ""); c.Template != "" {
		t.Errorf("phones get %q", c.Template)
	}
	e, err := s.Get(t.Context(), "old")
	if err != nil || e.Active != 1 || !strings.Contains(e.Fault, "goneSince2025") {
		t.Errorf("entry %+v, %v", e, err)
	}
	if _, _, err := s.Activate(t.Context(), "old", 1, nil); !errors.Is(err, phone.ErrInvalid) {
		t.Errorf("it was activated: %v", err)
	}
}

// What another node stored is in use soon after it was told.
func TestChangeOfAnotherNode(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	here, live := newLibrary(t, store)
	there, _ := newLibrary(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	changed := make(chan struct{}, 1)
	store.OnChange(func(inventory.Change) { here.Changed(); changed <- struct{}{} })
	go func() { done <- here.Run(ctx) }()
	if _, _, err := there.Create(t.Context(), phone.Template{Name: "yealink-phone"}, draft(mine)); err != nil {
		t.Fatal(err)
	}
	<-changed
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for live.Library().Pick("yealink/phone", "", "").Template != "yealink-phone" {
		<-tick.C // the test's own time-out ends a wait that is in vain
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestImpact(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	s, _ := newLibrary(t, store)
	for i, model := range []string{"T46S", "T46S", "T21P"} {
		if _, err := store.CreateDevice(t.Context(), phone.Device{MAC: phone.MAC{0, 0x15, 0x65, 0, 0, byte(i)}, Vendor: phone.Yealink, Model: model, Name: "Desk"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.CreateDevice(t.Context(), phone.Device{MAC: phone.MAC{0, 4, 0xf2, 0, 0, 1}, Vendor: phone.Polycom, Model: "VVX 450"}); err != nil {
		t.Fatal(err)
	}
	where := phone.Template{Name: "new", Vendor: phone.Yealink, File: "phone"}
	got, err := s.Impact(t.Context(), where, phone.TemplateContent{Text: mine + "static.network.vlan.internet_port_vid = 7\n", Models: []string{"T46S"}})
	if err != nil || got.Phones != 3 || got.Concerned != 2 || got.Changed != 2 || got.Warnings["lockout"] != 2 || len(got.Examples) != 2 {
		t.Errorf("impact %+v, %v", got, err)
	}
	if !strings.Contains(got.Examples[0].Diff, "+mine.name = Desk") || strings.Contains(got.Examples[0].Diff, "s4mpleSecret") {
		t.Errorf("example %+v", got.Examples[0])
	}
	text, _ := templates.Builtin().Source("yealink/phone")
	if same, err := s.Impact(t.Context(), where, phone.TemplateContent{Text: text}); err != nil || same.Concerned != 3 || same.Changed != 0 || len(same.Examples) != 0 {
		t.Errorf("impact of the same text %+v, %v", same, err)
	}
	if list, err := store.Templates(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("stored %v, %v", list, err)
	}
}

// A template made from an older built-in one is behind, and takes its changes over.
func TestMergeWithTheBuiltin(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	s, _ := newLibrary(t, store)
	now, _ := templates.Builtin().Source("yealink/phone")
	lines := strings.SplitAfter(now, "\n")
	old := strings.Join(append(lines[:1:1], lines[2:]...), "") // of a release that lacked the second line
	d := draft(old + "mine.name = 1\n")
	d.Base = old
	if _, _, err := s.Create(t.Context(), phone.Template{Name: "yealink-phone"}, d); err != nil {
		t.Fatal(err)
	}
	e, err := s.Get(t.Context(), "yealink-phone")
	if err != nil || !e.Behind {
		t.Errorf("entry %+v, %v, want it behind", e, err)
	}
	m, err := s.Merge(t.Context(), "yealink-phone")
	if err != nil || m.Conflicts != 0 || m.Text != now+"mine.name = 1\n" {
		t.Errorf("merged with %d conflicts, %v:\n%s", m.Conflicts, err, m.Text)
	}
	for _, text := range []string{d.Text, m.Text} { // nothing was taken over, and all of it
		next := draft(text)
		if e, _, err = s.Update(t.Context(), "yealink-phone", next); err != nil || !e.Behind {
			t.Errorf("stored without a word about the merge: behind %v, %v", e.Behind, err)
		}
		next.Merged = true
		if e, _, err = s.Update(t.Context(), "yealink-phone", next); err != nil || e.Behind {
			t.Errorf("stored as merged: behind %v, %v", e.Behind, err)
		}
		next.Merged, next.Base, next.Text = false, old, text+"# once more\n"
		if e, _, err = s.Update(t.Context(), "yealink-phone", next); err != nil || !e.Behind {
			t.Errorf("made from the old one: behind %v, %v", e.Behind, err)
		}
	}
}

func TestDeclarations(t *testing.T) {
	t.Parallel()
	s, _ := newLibrary(t, openStore(t))
	where := phone.Template{Name: "x", Vendor: phone.Yealink, File: "phone"}
	for field, c := range map[string]phone.TemplateContent{
		"maxFirmware":          {MinFirmware: "10.1", MaxFirmware: "9.9"},
		"models[1]":            {Models: []string{"T46S", " "}},
		"variables[0].name":    {Variables: []phone.TemplateVariable{{Name: "a-b"}}},
		"variables[1].name":    {Variables: []phone.TemplateVariable{{Name: "a"}, {Name: "a"}}},
		"variables[0].type":    {Variables: []phone.TemplateVariable{{Name: "a", Type: "date"}}},
		"variables[0].choices": {Variables: []phone.TemplateVariable{{Name: "a", Type: "choice"}}},
		"variables[0].default": {Variables: []phone.TemplateVariable{{Name: "a", Type: "number", Default: "x"}}},
	} {
		c.Text = mine
		_, err := s.Check(where, c)
		var got *phone.FieldError
		if !errors.As(err, &got) || got.Field != field {
			t.Errorf("%v, want an error of %s", err, field)
		}
	}
}
