// Package phone is the vocabulary the rest of dialtone speaks: devices, lines,
// extensions, credentials, leases and events. It knows nothing of the wire, of
// storage or of templates, and imports the standard library only.
package phone

import (
	"maps"
	"slices"
	"time"
)

// Vendor is the maker of a device, in lower case: "polycom", "yealink",
// "grandstream"; other makers appear as the User-Agent classifier names them.
type Vendor string

// The vendors whose files dialtone renders.
const (
	Polycom     Vendor = "polycom"
	Yealink     Vendor = "yealink"
	Grandstream Vendor = "grandstream"
)

// Vendors lists the vendors whose files dialtone renders.
func Vendors() []Vendor { return []Vendor{Polycom, Yealink, Grandstream} }

// DisplayName is the vendor's name as the REST API shows it ("Polycom").
func (v Vendor) DisplayName() string {
	switch v {
	case Polycom:
		return "Polycom"
	case Yealink:
		return "Yealink"
	case Grandstream:
		return "Grandstream"
	}
	return string(v)
}

// Device is one physical phone in the inventory.
type Device struct {
	ID       string            // "phone_" and an opaque part; never reused
	MAC      MAC               // identity on the wire; immutable
	Vendor   Vendor            // from the OUI unless given
	Model    string            // display form, e.g. "VVX 450", "T46S"; may be empty
	Name     string            // free text; may be empty
	Site     string            // free text; may be empty
	Lines    []Line            // ascending by Number
	Settings map[string]string // neutral settings and raw vendor parameters
	Tokens   Tokens            // secret paths; set by the inventory alone

	// Revision grows by at least one with every change that can change a
	// rendered file: the device, its lines, their extensions.
	Revision  int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Clone returns a copy that shares no mutable state with d.
func (d Device) Clone() Device {
	d.Lines = slices.Clone(d.Lines)
	d.Settings = maps.Clone(d.Settings)
	return d
}

// Line is a numbered account slot of a device, bound to one extension.
type Line struct {
	Number    int    // 1 is the first line
	Extension string // number of the extension
	AuthUser  string // digest user minted for this line of this device
	Secret    Secret // digest password that belongs to AuthUser

	// DisplayName is the extension's name and Label what the line key shows.
	// The inventory fills both when it reads a device.
	DisplayName string
	Label       string
}

// Extension is a dialable user of the SIP domain.
type Extension struct {
	Number      string // what others dial; digits, '*' and '#', 1 to 32
	Name        string // display name; may be empty
	SIPUsername string // digest user of the extension itself, e.g. "101_a1b2c3"
	Password    Secret // digest password that belongs to SIPUsername
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Credential is what a digest user proves: which extension it may register and
// call as, and the secret to check it with.
type Credential struct {
	User      string // digest user: an extension's SIPUsername or a line's AuthUser
	Extension string // number of the extension that the user stands for
	Name      string // display name of that extension
	DeviceID  string // the device the user was minted for; empty for SIPUsername
	Line      int    // line number on that device; 0 for SIPUsername
	Secret    Secret
	// Old is the secret from before a rotation, good until Secret has been proved;
	// empty: there is none.
	Old Secret
}

// Lease is a DHCP address given to a device.
type Lease struct {
	MAC       MAC
	IP        string // dotted quad
	ClientID  string // option 61 in hex; empty when the client sent none
	Vendor    string // option 60 as text, control bytes removed
	ExpiresAt time.Time
}

// Seen is a phone that is in the list only because it registered: a softphone,
// a browser, a mobile or a device nobody provisioned.
type Seen struct {
	ID             string // "phone_" and an opaque part
	Key            string // what recognises the phone when it comes back
	Extension      string
	UserAgent      string
	IPAddress      string
	Contact        string
	Transport      string
	LastRegistered time.Time
	CreatedAt      time.Time
}

// DeviceState is what was last seen of a device of the inventory: its latest
// registration and the latest configuration it fetched.
type DeviceState struct {
	DeviceID            string
	LastRegistered      time.Time // zero: never
	UserAgent           string    // as the phone wrote it
	IPAddress           string
	Contact             string    // SIP contact URI
	Transport           string    // "udp", "tcp", "tls", "ws", "wss"
	LastProvisioned     time.Time // zero: never
	ProvisionedRevision int64     // Device.Revision of the configuration it was given then
}

// APIKey is an access key of the REST API. The key itself is never stored.
type APIKey struct {
	ID        string // "key_" and an opaque part
	Name      string
	Hash      [32]byte // SHA-256 of the whole key text
	Scopes    []string
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	LastUsed  time.Time // zero: never
}

// Layer is a set of settings that many phones share: of all, of a site, of a
// vendor, of a model or of a group.
type Layer struct {
	Scope     string            // "global", "site", "vendor", "model", "group"
	Name      string            // of the site, vendor, model or group; empty for global
	Settings  map[string]string // as Device.Settings
	Revision  int64             // grows with every change of any layer
	UpdatedAt time.Time
}

// Affects says whether a phone of this vendor and model is one that a model's layer
// is for: models have many spellings, and the store knows none of them.
type Affects func(vendor Vendor, model string) bool
