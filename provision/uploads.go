package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"pbx.dev/dialtone/internal/phone"
)

// UploadStore is what Service needs of the store of what phones send.
type UploadStore interface {
	// Put stores a file of a phone over the one it had, or behind it with add. Its
	// errors are phone.ErrTooLarge, phone.ErrFull, phone.ErrBusy or ours.
	Put(ctx context.Context, mac phone.MAC, name string, from io.Reader, add bool) (bytes int64, err error)
	// Open is phone.ErrNotFound when the phone has no such file.
	Open(mac phone.MAC, name string) (*os.File, error)
	// Touch notes that the phone read the file back.
	Touch(mac phone.MAC, name string)
}

var _ Uploads = (*Service)(nil)

// Put implements Uploads: a phone of the inventory stores under its own names only
// and with the assurance that its configuration needs. Beside phone.ErrNotFound its
// errors are phone.ErrTooLarge (the file), phone.ErrFull (no room left),
// phone.ErrBusy (later perhaps), and ours.
func (s *Service) Put(ctx context.Context, r Request, body io.Reader) error {
	f := s.newFetch(r)
	f.event.Kind = phone.EventUpload
	n, err := s.put(ctx, f, r, body)
	f.done(0, n, nil)
	return err
}

func (s *Service) put(ctx context.Context, f *fetch, r Request, body io.Reader) (int64, error) {
	t, ok := Parse(r.Path)
	if !ok || s.opts.Uploads == nil || t.MAC.IsZero() || !stored(t.Kind) {
		return 0, f.notStored(phone.ErrNotFound, "no phone stores a file of that name")
	}
	f.about(t)
	c, err := s.claims(ctx, f, r, t)
	if err != nil {
		return 0, f.notStored(err, tokenFailure(err))
	}
	why := s.contradiction(r, t, c)
	if why == "" {
		why = s.shortfall(s.reached(c, r.Source.Addr()), r.Source.Addr())
	}
	if why != "" {
		return 0, f.notStored(errDenied, why)
	}
	d, err := s.opts.Inventory.DeviceByMAC(ctx, t.MAC)
	switch {
	case errors.Is(err, phone.ErrNotFound):
		return 0, f.notStored(phone.ErrNotFound, "the phone is not in the inventory")
	case err != nil:
		return 0, f.notStored(fmt.Errorf("find the phone %s: %w", t.MAC, err), "the inventory did not answer")
	}
	f.event.DeviceID, f.vendor = d.ID, d.Vendor
	if t.Vendor != d.Vendor {
		return 0, f.notStored(phone.ErrNotFound, "phones of this vendor store no such file")
	}
	n, err := s.opts.Uploads.Put(ctx, d.MAC, t.Name, body, t.Kind == KindLog)
	if err != nil {
		return 0, f.notStored(err, uploadFailure(err))
	}
	return n, nil
}

// notStored ends Put. Unlike a fetch, an upload tells the phone that it was too
// much; that a phone learns only after it was known.
func (f *fetch) notStored(err error, detail string) error {
	if errors.Is(err, phone.ErrTooLarge) || errors.Is(err, phone.ErrFull) || errors.Is(err, phone.ErrBusy) {
		f.event.Outcome, f.event.Detail = outcomeDenied, detail
		return err
	}
	_, err = f.fail(err, detail)
	return err
}

func uploadFailure(err error) string {
	switch {
	case errors.Is(err, phone.ErrTooLarge):
		return "the file is longer than a phone may store"
	case errors.Is(err, phone.ErrFull):
		return "there is no room left for what phones store"
	case errors.Is(err, phone.ErrBusy):
		return "too many uploads at once"
	}
	return "the upload broke off or could not be stored"
}

// stored reports whether phones store files of this kind on the server.
func stored(k Kind) bool {
	return k == KindOverride || k == KindCalls || k == KindDirectory || k == KindLog
}

// ownUpload answers with what the phone itself stored. Only a log is not read back:
// a phone asks whether it is there (phone-facts/request_sequence.md 1.2).
func (s *Service) ownUpload(f *fetch, r Request, d phone.Device, t Target) (File, error) {
	if s.opts.Uploads == nil || !stored(t.Kind) || t.Vendor != d.Vendor || t.Kind == KindLog && r.Method != "HEAD" {
		return f.fail(phone.ErrNotFound, "the phone has no such file")
	}
	file, err := s.opts.Uploads.Open(d.MAC, t.Name)
	if errors.Is(err, phone.ErrNotFound) {
		return f.fail(phone.ErrNotFound, "the phone has stored no such file")
	}
	if err != nil {
		return f.fail(fmt.Errorf("open the upload: %w", err), "the file could not be opened")
	}
	info, err := file.Stat()
	if err != nil {
		return f.fail(fmt.Errorf("open the upload: %w", errors.Join(err, file.Close())), "the file could not be opened")
	}
	s.opts.Uploads.Touch(d.MAC, t.Name)
	return File{
		Name: t.Name, ContentType: mediaBinary, Size: info.Size(), ModTime: info.ModTime(),
		ETag: fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()),
		Body: file, close: file.Close, fetch: f,
	}, nil
}
