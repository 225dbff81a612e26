package firmware

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
)

// Download is an image on its way to a phone.
type Download struct {
	File     *os.File
	Image    phone.FirmwareImage
	Targeted bool // it is what the phone is to run
	service  *Service
	phone    Phone
	counts   bool // whole fetches of it are counted
}

// Fetch is one request for an image.
type Fetch struct {
	Name    string // as asked for
	ImageID string // of the path that only an offer gives; empty for a bare name
	Phone   Phone  // as far as it is known
	Proven  bool   // the request comes from the phone with enough assurance to count
}

// Open opens what a phone asks for. phone.ErrNotFound when there is no such image,
// ErrWithheld when the phone is not to have it, phone.ErrBusy when too many are being fetched.
func (s *Service) Open(_ context.Context, f Fetch) (*Download, error) {
	d, err := s.choose(f)
	if err != nil {
		return nil, err
	}
	select {
	case s.slots <- struct{}{}:
	default:
		s.metrics.downloads.WithLabelValues("busy").Inc()
		return nil, fmt.Errorf("firmware %s: %w", d.Image.ID, phone.ErrBusy)
	}
	d.File, err = s.o.Store.open(d.Image.SHA256)
	if err != nil {
		<-s.slots
		if errors.Is(err, ErrDamaged) {
			s.metrics.downloads.WithLabelValues("damaged").Inc()
		}
		return nil, fmt.Errorf("firmware %s: %w", d.Image.ID, err)
	}
	s.metrics.downloads.WithLabelValues("begun").Inc()
	return d, nil
}

// choose finds the image of a request.
func (s *Service) choose(f Fetch) (*Download, error) {
	d := &Download{service: s, phone: f.Phone, counts: f.Proven && !f.Phone.MAC.IsZero()}
	none := fmt.Errorf("firmware %.60q: %w", f.Name, phone.ErrNotFound)
	st := s.stock.Load()
	var offer Offer
	if f.Phone.Vendor != "" {
		offer = st.offer(f.Phone, s.state(f.Phone.MAC))
	}
	var ok bool
	switch {
	case f.ImageID != "" && !beside(f.Name):
		// A download that has begun goes on when the target has changed.
		d.Image, ok = st.byID[f.ImageID]
		d.Targeted, ok = true, ok && named(d.Image, f.Name)
	case offer.Image.ID != "" && named(offer.Image, f.Name):
		d.Image, d.Targeted, ok = offer.Image, true, true
	default:
		d.Image, d.Targeted, ok = st.named(f.Name, f.Phone)
	}
	switch {
	case !ok:
		return nil, none
	case !d.Targeted:
		d.counts = false
	case stopped(s.state(f.Phone.MAC), d.Image.ID, f.Phone.Version):
		return nil, fmt.Errorf("the phone fetched it again and again: %w", ErrWithheld)
	case f.Phone.Version != "" && older(d.Image.Version, f.Phone.Version) && !offer.Target.AllowDowngrade:
		return nil, fmt.Errorf("the phone has a newer version: %w", ErrWithheld)
	}
	return d, nil
}

// ErrWithheld says that there is an image and the phone that asks is not to have it.
var ErrWithheld = errors.New("the image is withheld")

// beside reports whether a name is that of a file which phones look for in the
// folder of their image.
func beside(name string) bool {
	low := strings.ToLower(name)
	return strings.HasSuffix(low, ".ver") || strings.HasSuffix(low, ".wav") || strings.HasSuffix(low, ".lang")
}

// named reports whether a phone means an image by a name: phones change its case,
// and over TFTP some leave the escapes of a URL in it.
func named(i phone.FirmwareImage, name string) bool {
	if strings.EqualFold(i.Name, name) {
		return true
	}
	plain, err := url.PathUnescape(name)
	return err == nil && strings.EqualFold(i.Name, plain)
}

// noteTimeout bounds the note of a fetch.
const noteTimeout = 10 * time.Second

// Close ends a download. It must be called once.
func (d *Download) Close() error {
	<-d.service.slots
	return d.File.Close()
}

// Fetched says that the last byte of the image went out.
func (d *Download) Fetched() {
	d.service.metrics.downloads.WithLabelValues("whole").Inc()
	if !d.counts {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	d.service.note(ctx, d.phone, d.Image)
}

// note counts a whole fetch and stops the offer when it was one too many.
func (s *Service) note(ctx context.Context, p Phone, i phone.FirmwareImage) {
	var broken bool
	err := s.update(ctx, p.MAC, func(now time.Time, f *phone.FirmwareState) {
		broken = noteFetch(f, i.ID, p.Version, now)
	})
	if err != nil {
		s.log.ErrorContext(ctx, "a fetch of firmware was not counted", "mac", p.MAC, "error", err)
		return
	}
	if !broken {
		return
	}
	s.metrics.stopped.Inc()
	s.log.WarnContext(ctx, "firmware is not offered any more: the phone fetched it again and again", "mac", p.MAC, "image", i.ID, "version", p.Version)
	if s.o.Stopped != nil {
		s.o.Stopped(p.MAC, i)
	}
}

type metrics struct {
	downloads *prometheus.CounterVec
	stopped   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, s *Service) *metrics {
	m := &metrics{downloads: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_firmware_downloads_total", Help: "Requests for images, by outcome: begun, whole, busy, damaged.",
	}, []string{"outcome"}), stopped: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "dialtone_firmware_stopped_total", Help: "Phones that are not offered an image any more, as they fetched it again and again.",
	})}
	active := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dialtone_firmware_downloads", Help: "Images that are being fetched.",
	}, func() float64 { return float64(len(s.slots)) })
	if reg != nil {
		reg.MustRegister(m.downloads, m.stopped, active)
	}
	return m
}
