package phone

import "time"

// FirmwareImage is one image that phones can fetch. The content never changes.
type FirmwareImage struct {
	ID       string // "fw_" and an opaque part; part of the path that phones fetch it by
	Vendor   Vendor
	Models   []string // display form; empty: any model that asks for its name
	Hardware []string // revisions it is for, as phones report them; empty: any
	Version  string   // as the vendor writes it; may be empty
	Requires string   // least version that a phone can take this image from; empty: any
	Name     string   // as phones ask for it
	Size     int64    // bytes
	SHA256   string   // lower-case hex

	UploadedAt time.Time
	UploadedBy string // name of the API key
}

// FirmwareTarget says which image the phones of a model are to run.
type FirmwareTarget struct {
	Vendor         Vendor
	Model          string // display form
	Key            string // the model as it is compared: letters and digits in upper case
	Hardware       string // for phones of this revision only; empty: any
	ImageID        string
	FallbackID     string // image for phones that a rollout has not reached; empty: none is offered
	JobID          string // of the rollout under way; empty: every phone is offered the image
	AllowDowngrade bool   // offer it to phones that report a newer version, too
	UpdatedAt      time.Time
	UpdatedBy      string // name of the API key
}

// FirmwareState is what is known of the firmware of one phone, beside what it
// reports.
type FirmwareState struct {
	MAC       MAC
	Admitted  string      // image that a rollout has reached the phone with
	Fetched   string      // image that it fetched last
	Version   string      // version it reported then; may be empty
	Fetches   []time.Time // of that image at that version, the newest last; a few
	StoppedAt time.Time   // the image is not offered any more since then; zero: it is
}
