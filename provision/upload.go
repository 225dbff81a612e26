package provision

import (
	"context"
	"io"

	"pbx.dev/dialtone/internal/phone"
)

// Uploads takes what phones send: logs, overrides, directories, call lists. TFTP,
// HTTP and HTTPS all give it their uploads.
type Uploads interface {
	// Put stores body under the name in r.Path. It returns after the file is durable.
	// A name or a phone that is not taken, known or not, is phone.ErrNotFound, which it
	// says before it reads body; a file over the phone's quota is ErrTooLarge.
	Put(ctx context.Context, r Request, body io.Reader) error
}

// ErrTooLarge says that an upload is larger than the phone may store. It is
// phone.ErrTooLarge; that there is no room left at all is phone.ErrFull.
var ErrTooLarge = phone.ErrTooLarge
