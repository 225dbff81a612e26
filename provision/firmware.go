package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// Images is what Service needs of the database of images.
type Images interface {
	// Offer says which image a device is to run. userAgent is that of the request,
	// which says what it runs now; it may be empty.
	Offer(d phone.Device, userAgent string) (FirmwareOffer, bool)
	// Open opens what a phone asks for. It is phone.ErrNotFound when there is no such
	// image, ErrWithheld when there is one that this phone is not to have, and
	// phone.ErrBusy when too many are being fetched.
	Open(ctx context.Context, f ImageRequest) (ImageFile, error)
}

// ErrWithheld says that an image is there and not for the phone that asks.
var ErrWithheld = errors.New("withheld")

// FirmwareOffer is an image as a phone's file names it.
type FirmwareOffer struct {
	ID      string // empty: none
	File    string // name that the phone's file gives
	Version string
}

// ImageRequest is a request for an image.
type ImageRequest struct {
	Name      string // as asked for
	ID        string // of the image; empty when the phone asked for a bare name
	Device    phone.Device
	Known     bool // Device is set
	UserAgent string
	Proven    bool // the request comes from the device with the assurance that its files need
}

// ImageFile is an image that was opened.
type ImageFile struct {
	Body     io.ReadSeeker
	Size     int64
	SHA256   string
	ModTime  time.Time
	Targeted bool // it is what the phone is to run; false: it was found by its name only
	// Fetched says that the whole of it went out; it is called before or after Close,
	// or never.
	Fetched func()
	// Close must be called once.
	Close func() error
}

// offer is what d is to run. What belongs to no phone names no image.
func (s *Service) offer(d phone.Device, userAgent string) FirmwareOffer {
	if s.opts.Images == nil || d.MAC.IsZero() {
		return FirmwareOffer{}
	}
	o, ok := s.opts.Images.Offer(d, userAgent)
	if !ok {
		return FirmwareOffer{}
	}
	return o
}

// key tells two offers apart.
func (o FirmwareOffer) key() string {
	if o.ID == "" {
		return ""
	}
	return o.ID + "/" + o.File
}

// view is what a template sees. The path has the MAC and the image in it: so the
// server knows who fetches what over TFTP, too, and a phone that comes back for the
// rest of an image gets that image.
func (o FirmwareOffer) view(mac phone.MAC, base string) templates.Firmware {
	if o.ID == "" {
		return templates.Firmware{}
	}
	dir := firmwareFolder + "/" + mac.Hex() + "/" + o.ID + "/"
	v := templates.Firmware{Dir: dir, File: o.File, Version: o.Version}
	if base != "" {
		v.DirURL = strings.TrimSuffix(base, "/") + "/" + dir
		v.URL = v.DirURL + url.PathEscape(o.File)
	}
	return v
}

// firmware answers with an image. It is no secret: whoever can ask may have it. But
// what a phone is known to run, and how often it came for an image, decides which it
// gets.
func (s *Service) firmware(ctx context.Context, f *fetch, r Request, t Target, c claims) (File, error) {
	if s.opts.Images == nil {
		return s.fromFolder(f, t)
	}
	q, err := s.imageRequest(ctx, f, r, t, c)
	if err != nil {
		return f.fail(err, "the inventory did not answer")
	}
	image, err := s.opts.Images.Open(ctx, q)
	switch {
	case errors.Is(err, ErrWithheld):
		return f.fail(phone.ErrNotFound, err.Error())
	case errors.Is(err, phone.ErrNotFound):
		if t.Image != "" {
			return f.fail(phone.ErrNotFound, "no such firmware")
		}
		return s.fromFolder(f, t)
	case errors.Is(err, phone.ErrBusy):
		return f.fail(err, "too many images are being fetched")
	case err != nil:
		return f.fail(fmt.Errorf("open firmware: %w", err), "the firmware could not be opened")
	}
	if !image.Targeted && t.Image == "" && s.opts.Firmware != nil {
		// What somebody put into the folder goes before what was only uploaded.
		if file, err := s.fromFolder(f, t); err == nil {
			if err := image.Close(); err != nil {
				s.log.WarnContext(ctx, "close firmware", "error", err)
			}
			return file, nil
		}
		f.event.Outcome, f.event.Detail = outcomeOK, ""
	}
	return s.imageFile(f, t, image), nil
}

// imageRequest says what is known of the phone that asks.
func (s *Service) imageRequest(ctx context.Context, f *fetch, r Request, t Target, c claims) (ImageRequest, error) {
	q := ImageRequest{Name: t.Name, ID: t.Image, UserAgent: r.UserAgent}
	mac := t.MAC
	for _, m := range []phone.MAC{c.token, c.credentials, c.certificate, f.event.MAC} {
		if mac.IsZero() {
			mac = m
		}
	}
	if mac.IsZero() {
		return q, nil
	}
	d, err := s.opts.Inventory.DeviceByMAC(ctx, mac)
	if errors.Is(err, phone.ErrNotFound) {
		return q, nil
	}
	if err != nil {
		return q, fmt.Errorf("find the phone %s: %w", mac, err)
	}
	t.MAC, t.Vendor = mac, d.Vendor
	q.Device, q.Known = d, true
	f.event.MAC, f.event.DeviceID, f.vendor = mac, d.ID, d.Vendor
	q.Proven = s.contradiction(r, t, c) == "" && s.shortfall(s.reached(c, r.Source.Addr()), r.Source.Addr()) == ""
	return q, nil
}

// imageFile is the answer with an image of the database.
func (s *Service) imageFile(f *fetch, t Target, image ImageFile) File {
	// After the last byte the file stands at its end, however it went out.
	atEnd := sync.OnceValue(func() bool {
		at, err := image.Body.Seek(0, io.SeekCurrent)
		return err == nil && at == image.Size
	})
	f.finish = func(sent int64, err error) {
		if atEnd() && err == nil && sent > 0 {
			image.Fetched()
		}
	}
	return File{
		close: func() error { atEnd(); return image.Close() },
		Name:  t.Name, ContentType: mediaBinary, Size: image.Size, ModTime: image.ModTime,
		ETag: `"` + image.SHA256 + `"`, Body: image.Body, fetch: f,
	}
}

// fromFolder answers with a file that somebody put into the folder.
func (s *Service) fromFolder(f *fetch, t Target) (File, error) {
	if s.opts.Firmware == nil || t.Image != "" {
		return f.fail(phone.ErrNotFound, "no such firmware")
	}
	file, err := openFold(s.opts.Firmware, t.Name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
			return f.fail(phone.ErrNotFound, "no such firmware")
		}
		return f.fail(fmt.Errorf("open firmware: %w", err), "the firmware could not be opened")
	}
	info, err := file.Stat()
	body, seeks := file.(io.ReadSeeker)
	switch {
	case err != nil:
		return f.fail(fmt.Errorf("open firmware: %w", errors.Join(err, file.Close())), "the firmware could not be opened")
	case !info.Mode().IsRegular() || !seeks:
		if err := file.Close(); err != nil {
			return f.fail(fmt.Errorf("close firmware: %w", err), "the firmware could not be opened")
		}
		return f.fail(phone.ErrNotFound, "no such firmware")
	}
	return File{
		Name: t.Name, ContentType: mediaBinary, Size: info.Size(), ModTime: info.ModTime(),
		ETag: fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()),
		Body: body, close: file.Close, fetch: f,
	}, nil
}

// openFold opens the file called name, else the first whose name differs in case
// only: phones ask for their images in any case.
func openFold(dir fs.FS, name string) (fs.File, error) {
	file, err := dir.Open(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err //nolint:wrapcheck // the caller says what was being opened
	}
	entries, listErr := fs.ReadDir(dir, ".")
	if listErr != nil {
		return nil, fmt.Errorf("list images: %w", listErr)
	}
	for _, e := range entries {
		if strings.EqualFold(e.Name(), name) {
			return dir.Open(e.Name()) //nolint:wrapcheck // as above
		}
	}
	return nil, err //nolint:wrapcheck // as above
}
