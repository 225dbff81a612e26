package api

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"pbx.dev/dialtone/firmware"
	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
)

// The bounds of an upload of firmware beside the image itself.
const (
	maxParts     = 100
	maxPartText  = 4 << 10 // bytes of one field
	maxEnvelope  = 1 << 20 // of everything that is not the image
	uploadPause  = time.Minute
	answerWithin = 2 * time.Minute // from the last byte of an upload to the end of the answer
)

// upload is a multipart upload while it comes in.
type upload struct {
	image    phone.FirmwareImage
	received *firmware.Received
}

// uploadFirmware answers POST /v1/pbx/firmware: multipart/form-data with the image
// in one part that has a file name, and fields before or after it. The image goes
// to the disk as it comes. 201 when it is durable, 200 when it was there already.
func (s *server) uploadFirmware(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	paced := &pacedBody{body: http.MaxBytesReader(w, r.Body, firmware.MaxSize+maxEnvelope), conn: http.NewResponseController(w)}
	r.Body = paced
	parts, err := r.MultipartReader()
	if err != nil {
		return refuse(http.StatusUnsupportedMediaType, "Send multipart/form-data.")
	}
	var u upload
	if err := s.readUpload(r, parts, &u); err != nil {
		return errors.Join(err, u.discard())
	}
	paced.extend(answerWithin)
	u.image.UploadedBy = infoOf(r).key.Name
	if err := u.complete(); err != nil {
		return errors.Join(err, u.discard())
	}
	image, fresh, err := s.Firmware.Keep(r.Context(), u.received, u.image)
	if err != nil {
		return err
	}
	a := firmwareOf(image)
	for _, m := range image.Models {
		a.Warnings = append(a.Warnings, firmwareWarnings(image, m)...)
	}
	if !fresh {
		w.Header().Set("Location", firmwareLocation(image.ID))
		return writeJSON(w, http.StatusOK, a)
	}
	return created(w, firmwareLocation(image.ID), a)
}

// readUpload reads every part.
func (s *server) readUpload(r *http.Request, parts *multipart.Reader, u *upload) error {
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return unreadable(err)
		case n == maxParts:
			return refuse(http.StatusBadRequest, "The form has too many parts.")
		case part.FileName() == "":
			err = u.field(part)
		case u.received != nil:
			err = phone.Invalid(part.FormName(), "is a second file")
		default:
			if u.image.Name == "" {
				u.image.Name = part.FileName()
			}
			u.received, err = s.Firmware.Receive(r.Context(), part)
		}
		if err != nil {
			return unreadable(err)
		}
	}
}

// unreadable is an error of reading the body, which is the client's; ours pass.
func unreadable(err error) error {
	var (
		tooBig *http.MaxBytesError
		header textproto.ProtocolError
	)
	switch {
	case errors.As(err, &tooBig), errors.Is(err, phone.ErrTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "The image is larger than 1 GiB.")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, multipart.ErrMessageTooLarge),
		errors.As(err, &header), strings.Contains(err.Error(), "multipart: "):
		return refuse(http.StatusBadRequest, "The form could not be read to its end.")
	}
	return err
}

// field takes one field of the form. A list is given by repeating the field, or
// with commas.
func (u *upload) field(part *multipart.Part) error {
	b, err := io.ReadAll(io.LimitReader(part, maxPartText+1))
	if err != nil {
		return err
	}
	name, text := part.FormName(), strings.TrimSpace(string(b))
	if len(b) > maxPartText {
		return phone.Invalid(clip(name), "is too long")
	}
	i := &u.image
	switch name {
	case "vendor":
		i.Vendor = catalog.CanonicalVendor(text)
	case "model", "models":
		i.Models = append(i.Models, splitList(text)...)
	case "hardware":
		i.Hardware = append(i.Hardware, splitList(text)...)
	case "version":
		i.Version = text
	case "requires":
		i.Requires = text
	case "name":
		i.Name = text
	case "sha256":
		i.SHA256 = strings.ToLower(text)
	case "file":
		return phone.Invalid(name, "has no file name")
	default:
		return phone.Invalid(clip(name), "is not a field of this form")
	}
	return nil
}

func splitList(text string) []string {
	var out []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" && !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	return out
}

// complete fills in what the name says and reports what is missing.
func (u *upload) complete() error {
	if u.received == nil {
		return phone.Invalid("file", "is missing: a part with a file name")
	}
	i := &u.image
	if i.Vendor == "" {
		i.Vendor = firmware.VendorOfName(i.Name)
	}
	if i.Version == "" {
		i.Version = firmware.VersionOfName(i.Name)
	}
	if !slices.Contains(phone.Vendors(), i.Vendor) {
		return phone.Invalid("vendor", "must be polycom, yealink or grandstream")
	}
	return nil
}

func (u *upload) discard() error {
	if u.received == nil {
		return nil
	}
	return u.received.Discard()
}

// firmwareWarnings are what speaks against an image for a model. The tables of
// models are not complete enough to refuse it for that.
func firmwareWarnings(i phone.FirmwareImage, model string) []string {
	m, ok := catalog.Lookup(string(i.Vendor), model)
	if !ok {
		return []string{"the model " + model + " is not in the table of models"}
	}
	var out []string
	if product, _, _ := strings.Cut(i.Version, "."); m.FirmwarePrefix != "" && i.Version != "" && product != m.FirmwarePrefix {
		out = append(out, "a "+m.Name+" takes images whose version begins with "+m.FirmwarePrefix+", and this is "+i.Version)
	}
	if i.Vendor == phone.Grandstream && m.FirmwareFile != "" && !strings.HasPrefix(m.FirmwareFile, i.Name) {
		out = append(out, "a "+m.Name+" asks for "+m.FirmwareFile+", and this is "+i.Name)
	}
	if i.Vendor == phone.Polycom && len(m.LDFiles) > 0 && !slices.Contains(m.LDFiles, i.Name) && i.Name != "sip.ld" {
		out = append(out, "a "+m.Name+" asks for "+strings.Join(m.LDFiles, ", ")+" or sip.ld, and this is "+i.Name)
	}
	return out
}

// pacedBody lets an upload take as long as it needs while it goes on: the server
// gives a whole request a minute otherwise.
type pacedBody struct {
	body io.ReadCloser
	conn *http.ResponseController
	last time.Time
}

// Read implements io.Reader.
func (p *pacedBody) Read(b []byte) (int, error) {
	if time.Since(p.last) > uploadPause/4 {
		p.extend(uploadPause)
	}
	return p.body.Read(b)
}

// Close implements io.Closer.
func (p *pacedBody) Close() error { return p.body.Close() }

// extend moves the deadlines of the connection. One that has none is left alone.
func (p *pacedBody) extend(by time.Duration) {
	p.last = time.Now()
	_ = p.conn.SetReadDeadline(p.last.Add(by))
	_ = p.conn.SetWriteDeadline(p.last.Add(by))
}
