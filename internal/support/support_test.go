package support

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// A bundle is a zip of its parts; what fails says so in its place.
func TestWrite(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	err := Write(t.Context(), &b, now, []Part{
		Text("a.txt", "one"),
		{"b.txt", func(_ context.Context, w io.Writer) error {
			fmt.Fprint(w, "begun")
			return errors.New("the database is away")
		}},
		Text("c.txt", "three"),
	})
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || !f.Modified.Equal(now) {
			t.Error(err, f.Modified)
		}
		got += f.Name + ": " + string(text) + "\n"
	}
	if want := "a.txt: one\nb.txt: begun\nnot complete: the database is away\n\nc.txt: three\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := Write(t.Context(), broken{}, now, []Part{Text("a", strings.Repeat("x", 1<<20))}); err == nil {
		t.Error("a writer that fails is no error")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

// The newest lines are kept, within bounds.
func TestLog(t *testing.T) {
	t.Parallel()
	l := NewLog(3, 160)
	text := func() string {
		var b strings.Builder
		if n, err := l.WriteTo(&b); err != nil || int(n) != b.Len() {
			t.Error(n, err)
		}
		return b.String()
	}
	for i := range 5 {
		fmt.Fprintf(l, "%d\n", i)
	}
	if got := text(); got != "2\n3\n4\n" {
		t.Errorf("kept %q", got)
	}
	fmt.Fprint(l, strings.Repeat("x", 1000))
	if got := text(); got != "3\n4\n"+strings.Repeat("x", 10) {
		t.Errorf("kept %q", got)
	}
	l = NewLog(100, 160)
	for i := range 50 {
		fmt.Fprintf(l, "%09d\n", i)
	}
	if got := text(); len(got) != 160 || !strings.HasPrefix(got, "000000034\n") {
		t.Errorf("kept %d bytes: %q", len(got), got)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				fmt.Fprintln(l, "line")
				text()
			}
		})
	}
	wg.Wait()
	var none Log
	if n, err := none.Write([]byte("x")); n != 1 || err != nil {
		t.Error(n, err)
	}
}
