package firmware

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"pbx.dev/dialtone/internal/phone"
)

func open(t *testing.T) (*Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "firmware")
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func TestAddListRemove(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	const name = "T46U(T43U,T46U)-108.86.0.90.rom"
	image, err := s.Add(t.Context(), name, strings.NewReader("image"))
	if err != nil {
		t.Fatal(err)
	}
	if image.Name != name || image.Size != 5 || image.SHA256 != "6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d" {
		t.Errorf("%+v", image)
	}
	if b, err := fs.ReadFile(s.FS(), name); err != nil || string(b) != "image" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := s.Add(t.Context(), name, strings.NewReader("other")); !errors.Is(err, phone.ErrConflict) {
		t.Errorf("overwritten: %v", err)
	}
	if list, err := s.List(); err != nil || len(list) != 1 || list[0].Name != name || list[0].Size != 5 {
		t.Errorf("%+v, %v", list, err)
	}
	if err := s.Remove(name); err != nil {
		t.Error(err)
	}
	if err := s.Remove(name); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for _, name := range []string{"", ".", "..", "../x.rom", "a/b.rom", `a\b.rom`, ".hidden", "x\n.rom", strings.Repeat("x", 201)} {
		if _, err := s.Add(t.Context(), name, strings.NewReader("x")); !errors.Is(err, phone.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// An upload that breaks leaves nothing, neither at once nor after a crash.
func TestBrokenUpload(t *testing.T) {
	t.Parallel()
	s, dir := open(t)
	broken := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := s.Add(t.Context(), "a.rom", broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if _, err := s.Add(t.Context(), "a.rom", strings.NewReader("")); !errors.Is(err, phone.ErrInvalid) {
		t.Errorf("empty: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Add(ctx, "a.rom", strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, partial+"b.rom"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := Open(dir); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// Of two uploads of one name, one is stored whole and the other refused.
func TestRace(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, errs[i] = s.Add(t.Context(), "a.rom", strings.NewReader(strings.Repeat("x", 1<<16))) })
	}
	wg.Wait()
	stored := 0
	for _, err := range errs {
		if err == nil {
			stored++
		} else if !errors.Is(err, phone.ErrConflict) {
			t.Error(err)
		}
	}
	if stored != 1 {
		t.Errorf("%d were stored", stored)
	}
}

// A link that leads out of the folder is not followed.
func TestNoWayOut(t *testing.T) {
	t.Parallel()
	s, dir := open(t)
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "passwd.bin")); err != nil {
		t.Fatal(err)
	}
	if f, err := s.FS().Open("passwd.bin"); err == nil {
		f.Close()
		t.Error("a link out of the folder was followed")
	}
}
