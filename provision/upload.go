package provision

import (
	"context"
	"io"
)

// Uploads takes what phones send: logs, overrides, directories, call lists. TFTP,
// HTTP and HTTPS all give it their uploads.
type Uploads interface {
	// Put stores body under the name in r.Path. It returns after the file is durable.
	// A name or a phone that is not taken, known or not, is phone.ErrNotFound, which it
	// says before it reads body; a file over the phone's quota is phone.ErrTooLarge,
	// no room at all phone.ErrFull, too much at once phone.ErrBusy.
	Put(ctx context.Context, r Request, body io.Reader) error
}
