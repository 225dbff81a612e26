package api

import (
	"context"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
)

// Roster is the correlated list of phones: what is provisioned, what is
// registered, and which is which. It answers from memory.
type Roster interface {
	// List returns up to limit phones that pass f after cursor ("" is the start);
	// next is "" at the end. A cursor it did not make is phone.ErrInvalid.
	List(f roster.Filter, cursor string, limit int) (page []roster.Phone, next string, err error)
	Stats() roster.Stats
	Tally() roster.Tally
	// Phone returns one phone by id.
	Phone(id string) (roster.Phone, bool)
	// Contacts returns the live contacts of an extension, as a fork would ring them.
	Contacts(extension string) []roster.Contact
	// Forget removes a phone that is listed only because it was seen; one that is
	// registered is phone.ErrConflict.
	Forget(ctx context.Context, id string) error
}

// Devices are the provisioned phones. Errors are phone.ErrNotFound,
// phone.ErrInvalid (with the field) and phone.ErrConflict.
type Devices interface {
	CreateDevice(ctx context.Context, d phone.Device) (phone.Device, error)
	Device(ctx context.Context, id string) (phone.Device, error)
	// UpdateDevice calls change with the stored device and stores the result in
	// one transaction; an error of change is returned and nothing is stored. A
	// line that stays on its extension keeps its credential.
	UpdateDevice(ctx context.Context, id string, change func(*phone.Device) error) (phone.Device, error)
	// DeleteDevice calls check with the stored device; an error of it is returned and
	// nothing is deleted.
	DeleteDevice(ctx context.Context, id string, check func(phone.Device) error) error
}

// Layers are the settings that phones share. Errors as for Devices.
type Layers interface {
	Layers(ctx context.Context) (all []phone.Layer, revision int64, err error)
	Layer(ctx context.Context, scope, name string) (phone.Layer, error)
	// PutLayer and DeleteLayer give every phone of the layer its next revision; those
	// of a model's layer are the ones that affects is true of. change and check get
	// the layer as it is stored; an error of theirs is returned, and nothing is done.
	PutLayer(ctx context.Context, scope, name string, change func(*phone.Layer) error, affects phone.Affects) (phone.Layer, error)
	DeleteLayer(ctx context.Context, scope, name string, check phone.Check[phone.Layer], affects phone.Affects) error
}

// Extensions are the dialable users. Errors as for Devices.
type Extensions interface {
	CreateExtension(ctx context.Context, e phone.Extension) (phone.Extension, error)
	Extension(ctx context.Context, number string) (phone.Extension, error)
	// Extensions returns up to limit extensions after the number after, in a
	// stable order.
	Extensions(ctx context.Context, after string, limit int) ([]phone.Extension, error)
	// FindExtensions is Extensions for those that a search finds.
	FindExtensions(ctx context.Context, q, after string, limit int) ([]phone.Extension, error)
	UpdateExtension(ctx context.Context, number string, change func(*phone.Extension) error) (phone.Extension, error)
	DeleteExtension(ctx context.Context, number string, check func(phone.Extension) error) error
}

// Credentials makes new digest passwords.
type Credentials interface {
	// RotateCredentials gives the extension's own digest user a new password and
	// returns it with that. The old one is good until the new one has been proved,
	// or with dropOld no more.
	RotateCredentials(ctx context.Context, number string, dropOld bool) (phone.Extension, error)
	// RotateDevice does the same to all lines of a device.
	RotateDevice(ctx context.Context, id string, dropOld bool) (phone.Device, error)
}

// Keys are the access keys of this API.
type Keys interface {
	// CreateKey stores a new key and returns its text, which is not stored. A
	// zero expires is never.
	CreateKey(ctx context.Context, name string, scopes []string, expires time.Time) (phone.APIKey, phone.Secret, error)
	// KeyByText returns the key with this text, or phone.ErrNotFound.
	KeyByText(ctx context.Context, text string) (phone.APIKey, error)
	Keys(ctx context.Context) ([]phone.APIKey, error)
	RevokeKey(ctx context.Context, id string) error
}

// Timeline is what happened to a phone.
type Timeline interface {
	// Events returns up to limit events of the device or of the MAC address (a
	// zero MAC is none), newest first.
	Events(ctx context.Context, deviceID string, mac phone.MAC, limit int) ([]phone.Event, error)
}

// Files are the files that a device would be given, with secrets masked.
type Files interface {
	// Names lists the files made for d, in the order the phone asks for them.
	Names(d phone.Device) []string
	// Preview renders one of them; another name is phone.ErrNotFound.
	Preview(ctx context.Context, d phone.Device, file string) (body []byte, contentType string, err error)
	// Explain is Preview line by line, with where each comes from.
	Explain(ctx context.Context, d phone.Device, file string) ([]phone.FileLine, error)
}
