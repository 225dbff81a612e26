// Package support makes one file of what somebody needs who helps with a server: a zip
// of texts. It knows no secrets and takes care of none: whoever makes the parts leaves
// them out.
package support

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"time"
)

// Part is one file of a bundle.
type Part struct {
	Name  string
	Write func(ctx context.Context, w io.Writer) error
}

// Write writes the parts to w. One that fails says so in its place: a server that is
// not well is what bundles are for.
func Write(ctx context.Context, w io.Writer, now time.Time, parts []Part) error {
	z := zip.NewWriter(w)
	for _, p := range parts {
		f, err := z.CreateHeader(&zip.FileHeader{Name: p.Name, Method: zip.Deflate, Modified: now})
		if err != nil {
			return fmt.Errorf("write the bundle: %w", err)
		}
		if err := p.Write(ctx, f); err != nil {
			if _, err := fmt.Fprintf(f, "\nnot complete: %v\n", err); err != nil {
				return fmt.Errorf("write the bundle: %w", err)
			}
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	return nil
}

// Text is a part that is known already.
func Text(name, text string) Part {
	return Part{name, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}}
}
