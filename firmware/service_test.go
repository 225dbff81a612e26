package firmware

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
)

// lab is a service on the real database, with the folder it keeps its images in.
type lab struct {
	*Service
	t        *testing.T
	dir      string
	database *inventory.Store
	stopped  []string
}

func newLab(t *testing.T, downloads int) *lab {
	t.Helper()
	l := &lab{t: t, dir: filepath.Join(t.TempDir(), "firmware")}
	var err error
	l.database, err = inventory.Open(t.Context(), inventory.Options{Dir: t.TempDir(), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.database.Close() })
	l.open(downloads)
	return l
}

// open starts the service, again for one that has been.
func (l *lab) open(downloads int) {
	l.t.Helper()
	folder, err := OpenStore(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { folder.Close() })
	l.Service, err = New(l.t.Context(), Options{
		Store: folder, Images: l.database, Targets: l.database, States: l.database, Downloads: downloads,
		Stopped: func(mac phone.MAC, i phone.FirmwareImage) { l.stopped = append(l.stopped, mac.Hex()+" "+i.ID) },
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) keep(i phone.FirmwareImage, content string) (phone.FirmwareImage, bool, error) {
	l.t.Helper()
	r, err := l.Receive(l.t.Context(), strings.NewReader(content))
	if err != nil {
		l.t.Fatal(err)
	}
	return l.Keep(l.t.Context(), r, i)
}

func (l *lab) image(version, content string) phone.FirmwareImage {
	l.t.Helper()
	spec := rom(version)
	spec.SHA256 = ""
	i, created, err := l.keep(spec, content)
	if err != nil || !created {
		l.t.Fatal(created, err)
	}
	return i
}

func (l *lab) target(t phone.FirmwareTarget) {
	l.t.Helper()
	t.Vendor, t.Model, t.Key = phone.Yealink, "T46S", "T46S"
	if _, err := l.PutTarget(l.t.Context(), t, nil); err != nil {
		l.t.Fatal(err)
	}
}

// fetch fetches the whole of an image.
func (l *lab) fetch(f Fetch) (string, error) {
	l.t.Helper()
	d, err := l.Open(l.t.Context(), f)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(d.File)
	if err != nil {
		l.t.Fatal(err)
	}
	d.Fetched()
	return string(b), d.Close()
}

// files are the files below the folder.
func (l *lab) files() []string {
	l.t.Helper()
	var out []string
	err := filepath.WalkDir(l.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func TestKeepAndDelete(t *testing.T) {
	t.Parallel()
	l := newLab(t, 0)
	i := l.image("66.86.0.15", "content")
	spec := rom("66.86.0.15")
	spec.SHA256 = i.SHA256
	if again, created, err := l.keep(spec, "content"); err != nil || created || again.ID != i.ID {
		t.Errorf("again: %+v, %v, %v", again, created, err)
	}
	spec.SHA256 = ""
	if _, _, err := l.keep(spec, "other"); !errors.Is(err, phone.ErrConflict) {
		t.Errorf("other content: %v", err)
	}
	if files := l.files(); len(files) != 1 {
		t.Errorf("files %v", files)
	}
	if got, err := l.fetch(Fetch{Name: strings.ToUpper(i.Name)}); got != "content" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	open, err := l.Open(t.Context(), Fetch{Name: i.Name})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Delete(t.Context(), i.ID); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(open.File); string(b) != "content" || err != nil {
		t.Errorf("a phone that was fetching it got %q, %v", b, err)
	}
	open.Close()
	if _, err := l.fetch(Fetch{Name: i.Name}); !errors.Is(err, phone.ErrNotFound) || len(l.files()) != 0 {
		t.Errorf("after it was deleted: %v, %v", err, l.files())
	}
}

// An upload that breaks leaves nothing, and one that ended in a crash goes in time.
func TestBrokenUpload(t *testing.T) {
	t.Parallel()
	l := newLab(t, 0)
	broken := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := l.Receive(t.Context(), broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Receive(ctx, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := l.Receive(t.Context(), strings.NewReader("")); !errors.Is(err, phone.ErrInvalid) {
		t.Error(err)
	}
	left := filepath.Join(l.dir, partial+"X")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	yesterday := time.Now().Add(-2 * stalePartial)
	if err := os.Chtimes(left, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	l.open(0)
	if files := l.files(); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
}

// An image that has changed on the disk is not given to a phone.
func TestDamaged(t *testing.T) {
	t.Parallel()
	l := newLab(t, 0)
	i := l.image("66.86.0.15", "content")
	if err := os.WriteFile(l.files()[0], []byte("c0ntent"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.fetch(Fetch{Name: i.Name}); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	spec := rom("66.86.0.15")
	spec.SHA256 = ""
	if _, created, err := l.keep(spec, "content"); err != nil || created { // mends it
		t.Fatal(created, err)
	}
	if got, err := l.fetch(Fetch{Name: i.Name}); got != "content" || err != nil {
		t.Errorf("mended: %q, %v", got, err)
	}
}

// A phone that fetches its image again and again is offered it no more, also after a
// restart, until somebody says so.
func TestLoopBreaker(t *testing.T) {
	t.Parallel()
	l := newLab(t, 0)
	i := l.image("66.86.0.15", "content")
	l.target(phone.FirmwareTarget{ImageID: i.ID})
	p := t46s("66.85.0.5")
	get := func(proven bool) error {
		_, err := l.fetch(Fetch{Name: i.Name, ImageID: i.ID, Phone: p, Proven: proven})
		return err
	}
	for range 5 { // somebody else, who only knows the MAC address
		if err := get(false); err != nil {
			t.Fatal(err)
		}
	}
	for range loopFetches {
		if err := get(true); err != nil {
			t.Fatal(err)
		}
	}
	if got := testutil.ToFloat64(l.metrics.stopped); got != 1 || len(l.stopped) != 1 || l.stopped[0] != p.MAC.Hex()+" "+i.ID {
		t.Errorf("%v counted, told %v", got, l.stopped)
	}
	for _, again := range []string{"at once", "after a restart"} {
		if err := get(true); !errors.Is(err, ErrWithheld) {
			t.Errorf("%s: %v", again, err)
		}
		if o := l.Offer(p); o.Image.ID != "" {
			t.Errorf("%s it is offered %+v", again, o)
		}
		l.open(0)
	}
	if o := l.Offer(t46s("66.85.0.6")); o.Image.ID != i.ID {
		t.Error("a phone that has got on is not offered it")
	}
	if err := l.Retry(t.Context(), p.MAC); err != nil {
		t.Fatal(err)
	}
	if o := l.Offer(p); o.Image.ID != i.ID {
		t.Errorf("after retry: %+v", o)
	}
	if err := get(true); err != nil {
		t.Errorf("after retry: %v", err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	l := newLab(t, 2)
	i, next := l.image("66.85.0.15", "old"), l.image("66.86.0.15", "new")
	l.target(phone.FirmwareTarget{ImageID: next.ID})
	p := t46s("66.85.0.5")
	newer := t46s("66.90.0.1")
	for name, tt := range map[string]struct {
		f    Fetch
		want string
		err  error
	}{
		"offered":             {Fetch{Name: next.Name, ImageID: next.ID, Phone: p}, "new", nil},
		"escaped":             {Fetch{Name: "T46S%2d66.86.0.15.rom", ImageID: next.ID, Phone: p}, "new", nil},
		"begun before":        {Fetch{Name: i.Name, ImageID: i.ID, Phone: p}, "old", nil},
		"bare name":           {Fetch{Name: next.Name, Phone: p}, "new", nil},
		"other name":          {Fetch{Name: "x.rom", ImageID: next.ID, Phone: p}, "", phone.ErrNotFound},
		"other image":         {Fetch{Name: next.Name, ImageID: "fw_none", Phone: p}, "", phone.ErrNotFound},
		"downgrade":           {Fetch{Name: next.Name, ImageID: next.ID, Phone: newer}, "", ErrWithheld},
		"downgrade by name":   {Fetch{Name: next.Name, Phone: newer}, "", ErrWithheld},
		"untargeted by name":  {Fetch{Name: i.Name}, "old", nil},
		"no such name at all": {Fetch{Name: "none.rom"}, "", phone.ErrNotFound},
	} {
		if got, err := l.fetch(tt.f); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	l.target(phone.FirmwareTarget{ImageID: next.ID, AllowDowngrade: true})
	if got, err := l.fetch(Fetch{Name: next.Name, ImageID: next.ID, Phone: newer}); got != "new" || err != nil {
		t.Errorf("downgrade that is allowed: %q, %v", got, err)
	}
	var held []*Download
	for range 2 {
		d, err := l.Open(t.Context(), Fetch{Name: next.Name})
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, d)
	}
	if _, err := l.Open(t.Context(), Fetch{Name: next.Name}); !errors.Is(err, phone.ErrBusy) {
		t.Errorf("a third download: %v", err)
	}
	held[0].Close()
	if _, err := l.fetch(Fetch{Name: next.Name}); err != nil {
		t.Errorf("after one ended: %v", err)
	}
	held[1].Close()
}

// The process is killed in the middle of an upload: nothing of it is served.
func TestKilledUpload(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("DIALTONE_FIRMWARE_KILL")
	if dir != "" { // the child
		folder, err := OpenStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		half := io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), killer{})
		_, err = folder.Receive(context.Background(), half)
		t.Fatal("lived on", err)
	}
	l := newLab(t, 0)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledUpload$")
	cmd.Env = append(os.Environ(), "DIALTONE_FIRMWARE_KILL="+l.dir)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("%v\n%s", err, out)
	}
	files := l.files()
	if len(files) != 1 || !strings.HasPrefix(filepath.Base(files[0]), partial) {
		t.Fatalf("the upload left %v", files)
	}
	l.open(0)
	if len(l.Images()) != 0 {
		t.Errorf("%+v", l.Images())
	}
	if _, err := l.Open(t.Context(), Fetch{Name: filepath.Base(files[0])}); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("half an upload: %v", err)
	}
}

// killer kills the process that reads from it.
type killer struct{}

func (killer) Read([]byte) (int, error) {
	p, err := os.FindProcess(os.Getpid())
	if err != nil {
		return 0, err
	}
	return 0, p.Kill()
}
