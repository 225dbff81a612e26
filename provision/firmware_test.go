package provision

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// rack is Images with one image for every device.
type rack struct {
	offer   FirmwareOffer
	err     error
	asked   ImageRequest
	fetched int
	closed  int
}

func (c *rack) Offer(phone.Device, string) (FirmwareOffer, bool) {
	return c.offer, c.offer.ID != ""
}

func (c *rack) Open(_ context.Context, r ImageRequest) (ImageFile, error) {
	c.asked = r
	if c.err != nil {
		return ImageFile{}, c.err
	}
	return ImageFile{
		Body: bytes.NewReader([]byte("image of the cupboard")), Size: 21, SHA256: "abc", ModTime: time.Unix(1e9, 0), Targeted: r.ID != "",
		Fetched: func() { c.fetched++ }, Close: func() error { c.closed++; return nil },
	}, nil
}

func withImages(t *testing.T, c *rack) *bench {
	t.Helper()
	return newBench(t, func(o *Options) { o.Images = c })
}

// A phone's file names its image, each vendor in its way, and none without an offer.
func TestFirmwareInFiles(t *testing.T) {
	t.Parallel()
	c := &rack{}
	b := withImages(t, c)
	for path, tt := range map[string]struct {
		file          string
		without, with string
	}{
		"0004f2abcdef.cfg":           {"sip.ld", `APP_FILE_PATH="sip.ld"`, `APP_FILE_PATH="fw/0004f2abcdef/fw_1/sip.ld"`},
		yeaMAC.Hex() + ".cfg":        {"T46S(T48S)-66.86.0.15.rom", "local_time", "static.firmware.url = http://192.0.2.10:8081/fw/" + yeaMAC.Hex() + "/fw_1/T46S%28T48S%29-66.86.0.15.rom\nfirmware.url = "},
		"cfg" + gsMAC.Hex() + ".xml": {"gxp2170fw.bin", "<P237>192.0.2.10:8081/</P237>", "<P192>192.0.2.10:8081/fw/" + gsMAC.Hex() + "/fw_1/</P192>\n    <P6767>1</P6767>"},
	} {
		c.offer = FirmwareOffer{}
		none, _, err := b.fetch(path)
		if err != nil || !strings.Contains(none, tt.without) || strings.Contains(none, "fw/") || strings.Contains(none, "P192") || strings.Contains(none, "firmware.url") {
			t.Errorf("%s without an offer: %v\n%s", path, err, none)
		}
		c.offer = FirmwareOffer{ID: "fw_1", File: tt.file, Version: "1"}
		if text, _, err := b.fetch(path); err != nil || !strings.Contains(text, tt.with) {
			t.Errorf("%s with an offer: %v\n%s", path, err, text)
		}
	}
}

// Which device asks, and whether that counts, comes from path, User-Agent and source.
func TestImageRequest(t *testing.T) {
	t.Parallel()
	c := &rack{}
	b := withImages(t, c)
	yealink := "Yealink SIP-T46S 66.86.0.15 " + yeaMAC.String()
	far := Request{Path: "fw/" + yeaMAC.Hex() + "/fw_1/x.rom", Method: "GET"}
	for name, tt := range map[string]struct {
		r      Request
		device string
		proven bool
		id     string
	}{
		"path":           {Request{Path: "/FW/" + yeaMAC.Hex() + "/FW_1/x.rom", Method: "GET", Source: lan}, "phone_yealink", true, "fw_1"},
		"other agent":    {Request{Path: "fw/" + yeaMAC.Hex() + "/fw_1/x.rom", Method: "GET", Source: lan, UserAgent: "x 11:22:33:44:55:66"}, "phone_yealink", false, "fw_1"},
		"outside":        {far, "phone_yealink", false, "fw_1"},
		"unknown phone":  {Request{Path: "fw/112233445566/fw_1/x.rom", Method: "GET", Source: lan}, "", false, "fw_1"},
		"agent alone":    {Request{Path: "x.rom", Method: "GET", Source: lan, UserAgent: yealink}, "phone_yealink", true, ""},
		"nothing at all": {Request{Path: "x.rom", Method: "GET", Source: lan}, "", false, ""},
	} {
		c.asked = ImageRequest{}
		if _, _, err := b.fetchAs(tt.r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.asked.Device.ID != tt.device || c.asked.Proven != tt.proven || c.asked.ID != tt.id || !strings.HasSuffix(c.asked.Name, "x.rom") {
			t.Errorf("%s: %+v", name, c.asked)
		}
	}
	for _, path := range []string{
		"fw/x.rom", "fw/" + yeaMAC.Hex() + "/x.rom", "fw/000000000000/fw_1/x.rom", "fw/nomac/fw_1/x.rom", "fw/" + yeaMAC.Hex() + "/../x.rom",
		"fw/" + yeaMAC.Hex() + "/fw_1/../../x.rom", "fw/" + yeaMAC.Hex() + "/fw_1/.x.rom", "fw/" + yeaMAC.Hex() + "/fw_1/x.cfg", "x/" + yeaMAC.Hex() + "/fw_1/x.rom",
	} {
		if _, _, err := b.fetch(path); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Only a fetch that reaches the end counts, however it went and whatever is called
// first, and every image is closed once.
func TestWholeFetches(t *testing.T) {
	t.Parallel()
	c := &rack{}
	b := withImages(t, c)
	path := "fw/" + yeaMAC.Hex() + "/fw_1/x.rom"
	for name, tt := range map[string]struct {
		read       int64
		err        error
		closeFirst bool
		counts     bool
	}{
		"whole":           {21, nil, false, true},
		"whole over tftp": {21, nil, true, true},
		"part":            {20, nil, false, false},
		"broken off":      {21, io.ErrUnexpectedEOF, true, false},
		"head":            {0, nil, false, false},
	} {
		c.fetched, c.closed = 0, 0
		f, err := b.Get(t.Context(), Request{Path: path, Method: "GET", Source: lan})
		if err != nil {
			t.Fatal(err)
		}
		n, _ := io.CopyN(io.Discard, f.Body, tt.read)
		if tt.closeFirst {
			f.Close()
		}
		f.Done(200, n, tt.err)
		if !tt.closeFirst {
			f.Close()
		}
		if (c.fetched == 1) != tt.counts || c.closed != 1 {
			t.Errorf("%s: fetched %d, closed %d", name, c.fetched, c.closed)
		}
	}
}

// What Images says becomes the one answer, except that it is busy.
func TestImagesRefused(t *testing.T) {
	t.Parallel()
	c := &rack{}
	b := withImages(t, c)
	path := "fw/" + yeaMAC.Hex() + "/fw_1/sip.ld"
	for _, tt := range []struct{ err, want error }{
		{phone.ErrNotFound, phone.ErrNotFound}, {ErrWithheld, phone.ErrNotFound}, {phone.ErrBusy, phone.ErrBusy}, {io.ErrNoProgress, io.ErrNoProgress},
	} {
		c.err = tt.err
		if _, _, err := b.fetch(path); !errors.Is(err, tt.want) {
			t.Errorf("%v gives %v", tt.err, err)
		}
	}
	c.err = phone.ErrNotFound // then the folder has it
	if text, _, err := b.fetch("sip.ld"); err != nil || text != "firmware image" {
		t.Errorf("%q, %v", text, err)
	}
	c.err = ErrWithheld // then it has not
	if _, _, err := b.fetch("sip.ld"); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("withheld: %v", err)
	}
	c.err = nil // and it goes before an image that is no target
	if text, _, err := b.fetch("sip.ld"); err != nil || text != "firmware image" || c.closed != 1 {
		t.Errorf("%q, %v, closed %d", text, err, c.closed)
	}
}
