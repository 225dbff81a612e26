package firmware

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
)

// Images is the database of images. Its errors are those of inventory.Store.
type Images interface {
	CreateFirmware(ctx context.Context, i phone.FirmwareImage) (stored phone.FirmwareImage, created bool, err error)
	Firmware(ctx context.Context) ([]phone.FirmwareImage, error)
	DeleteFirmware(ctx context.Context, id string) (phone.FirmwareImage, error)
}

// Targets is the database of targets.
type Targets interface {
	PutFirmwareTarget(ctx context.Context, t phone.FirmwareTarget, check phone.Check[phone.FirmwareTarget]) (phone.FirmwareTarget, error)
	FirmwareTargets(ctx context.Context) ([]phone.FirmwareTarget, error)
	DeleteFirmwareTarget(ctx context.Context, v phone.Vendor, key, hardware string, check phone.Check[phone.FirmwareTarget]) error
	EndFirmwareRollout(ctx context.Context, jobID string) error
}

// States is the database of how phones got on.
type States interface {
	UpdateFirmwareState(ctx context.Context, mac phone.MAC, change func(now time.Time, f *phone.FirmwareState)) (phone.FirmwareState, error)
	FirmwareStates(ctx context.Context) ([]phone.FirmwareState, error)
	FirmwareState(ctx context.Context, mac phone.MAC) (phone.FirmwareState, error)
}

// Options of New. All but the last four are required.
type Options struct {
	Store   *Store
	Images  Images
	Targets Targets
	States  States

	Downloads int // images that are fetched at a time; 0: 64
	// Stopped is told when a phone is not offered an image any more; nil: nobody.
	Stopped    func(mac phone.MAC, image phone.FirmwareImage)
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Service keeps images and says which phone gets which. What it answers it knows
// from memory; the database tells it of changes by Reload and ReloadPhone. It is
// safe for concurrent use.
type Service struct {
	o       Options
	log     *slog.Logger
	metrics *metrics
	stock   atomic.Pointer[stock]
	keeping sync.Mutex    // one image is put into its place at a time
	slots   chan struct{} // held by downloads

	mu     sync.RWMutex
	states map[phone.MAC]phone.FirmwareState
}

// New returns a service that knows what the database has.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Store == nil || o.Images == nil || o.Targets == nil || o.States == nil {
		return nil, errors.New("firmware: Store, Images, Targets and States are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		o: o, log: o.Logger.With("component", "firmware"), slots: make(chan struct{}, cmp.Or(o.Downloads, 64)),
		states: map[phone.MAC]phone.FirmwareState{},
	}
	s.metrics = newMetrics(o.Registerer, s)
	return s, s.ReloadAll(ctx)
}

// ReloadAll reads everything again.
func (s *Service) ReloadAll(ctx context.Context) error {
	list, err := s.o.States.FirmwareStates(ctx)
	if err != nil {
		return err
	}
	states := make(map[phone.MAC]phone.FirmwareState, len(list))
	for _, f := range list {
		states[f.MAC] = f
	}
	s.mu.Lock()
	s.states = states
	s.mu.Unlock()
	return s.Reload(ctx)
}

// Reload reads images and targets again.
func (s *Service) Reload(ctx context.Context) error {
	images, err := s.o.Images.Firmware(ctx)
	if err != nil {
		return err
	}
	targets, err := s.o.Targets.FirmwareTargets(ctx)
	if err != nil {
		return err
	}
	s.stock.Store(newStock(images, targets))
	return nil
}

// ReloadPhone reads again what is known of one phone.
func (s *Service) ReloadPhone(ctx context.Context, mac phone.MAC) error {
	f, err := s.o.States.FirmwareState(ctx, mac)
	if err != nil && !errors.Is(err, phone.ErrNotFound) {
		return err
	}
	f.MAC = mac
	s.remember(f)
	return nil
}

func (s *Service) remember(f phone.FirmwareState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[f.MAC] = f
}

func (s *Service) state(mac phone.MAC) phone.FirmwareState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.states[mac]
}

// FS gives the files that were put into the folder by hand.
func (s *Service) FS() fs.FS { return s.o.Store.FS() }

// Receive writes an upload to the disk; see Store.Receive.
func (s *Service) Receive(ctx context.Context, from io.Reader) (*Received, error) {
	return s.o.Store.Receive(ctx, from)
}

// Images returns all images, oldest first. The slice must not be changed.
func (s *Service) Images() []phone.FirmwareImage { return s.stock.Load().images }

// Image returns one image.
func (s *Service) Image(id string) (phone.FirmwareImage, bool) {
	i, ok := s.stock.Load().byID[id]
	return i, ok
}

// Keep makes an image of what was received; i says what it is. The image is durable
// when Keep returns, and created is false when it was there already, with this name,
// vendor and version. It is phone.ErrConflict when the content is stored as
// something else or other content as this, and a phone.FieldError when the content,
// the name or the declared SHA-256 (i.SHA256, if any) is wrong. In every case r is
// used up.
func (s *Service) Keep(ctx context.Context, r *Received, i phone.FirmwareImage) (image phone.FirmwareImage, created bool, err error) {
	defer func() { err = errors.Join(err, r.Discard()) }()
	if err := check(r, i); err != nil {
		return image, false, err
	}
	i.Size, i.SHA256 = r.Size, r.SHA256
	s.keeping.Lock()
	defer s.keeping.Unlock()
	// The content first: an image in the database is there to be fetched.
	if err := r.keep(); err != nil {
		return image, false, err
	}
	image, created, err = s.o.Images.CreateFirmware(ctx, i)
	if err != nil {
		return image, false, errors.Join(err, s.forget(ctx, i.SHA256))
	}
	if created {
		s.log.InfoContext(ctx, "firmware stored", "id", image.ID, "vendor", image.Vendor, "name", image.Name, "bytes", image.Size)
	}
	return image, created, s.Reload(ctx)
}

func check(r *Received, i phone.FirmwareImage) error {
	if err := checkName(i.Name); err != nil {
		return err
	}
	if i.SHA256 != "" && i.SHA256 != r.SHA256 {
		return phone.Invalid("sha256", "is not that of the file, which is "+r.SHA256)
	}
	return checkContent(i.Vendor, i.Name, r.Head)
}

// forget removes content that no image has, and no other.
func (s *Service) forget(ctx context.Context, sha string) error {
	images, err := s.o.Images.Firmware(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	for _, i := range images {
		if i.SHA256 == sha {
			return nil
		}
	}
	return s.o.Store.remove(sha)
}

// Delete deletes an image: phone.ErrNotFound, or phone.ErrConflict while it is a
// target. A phone that is fetching it fetches it to the end.
func (s *Service) Delete(ctx context.Context, id string) error {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	image, err := s.o.Images.DeleteFirmware(ctx, id)
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "firmware deleted", "id", image.ID, "vendor", image.Vendor, "name", image.Name)
	return errors.Join(s.o.Store.remove(image.SHA256), s.Reload(ctx))
}

// Targets returns all targets.
func (s *Service) Targets(ctx context.Context) ([]phone.FirmwareTarget, error) {
	return s.o.Targets.FirmwareTargets(ctx)
}

// PutTarget stores a target, over one for the same model and hardware.
func (s *Service) PutTarget(ctx context.Context, t phone.FirmwareTarget, check phone.Check[phone.FirmwareTarget]) (phone.FirmwareTarget, error) {
	t, err := s.o.Targets.PutFirmwareTarget(ctx, t, check)
	if err != nil {
		return t, err
	}
	return t, s.Reload(ctx)
}

// DeleteTarget removes a target: its phones are offered nothing any more.
func (s *Service) DeleteTarget(ctx context.Context, v phone.Vendor, key, hardware string, check phone.Check[phone.FirmwareTarget]) error {
	if err := s.o.Targets.DeleteFirmwareTarget(ctx, v, key, hardware, check); err != nil {
		return err
	}
	return s.Reload(ctx)
}

// EndRollout opens a target whose rollout has reached every phone.
func (s *Service) EndRollout(ctx context.Context, jobID string) error {
	if err := s.o.Targets.EndFirmwareRollout(ctx, jobID); err != nil {
		return err
	}
	return s.Reload(ctx)
}

// Admit lets a rollout reach a phone with an image.
func (s *Service) Admit(ctx context.Context, mac phone.MAC, imageID string) error {
	return s.update(ctx, mac, func(_ time.Time, f *phone.FirmwareState) { f.Admitted = imageID })
}

// Retry offers an image again to a phone that it was not offered to any more.
func (s *Service) Retry(ctx context.Context, mac phone.MAC) error {
	return s.update(ctx, mac, func(_ time.Time, f *phone.FirmwareState) {
		f.Fetched, f.Version, f.Fetches, f.StoppedAt = "", "", nil, time.Time{}
	})
}

func (s *Service) update(ctx context.Context, mac phone.MAC, change func(now time.Time, f *phone.FirmwareState)) error {
	f, err := s.o.States.UpdateFirmwareState(ctx, mac, change)
	if err != nil {
		return err
	}
	s.remember(f)
	return nil
}

// State returns what is known of a phone; the zero state when nothing is.
func (s *Service) State(mac phone.MAC) phone.FirmwareState { return s.state(mac) }

// Offers reports whether any model has a target. Without one nothing need be found
// out about a phone.
func (s *Service) Offers() bool { return len(s.stock.Load().targets) > 0 }

// Wanted is the version that a phone should run instead of the one it reports; "" when
// it runs that, when the rollout has not reached it, or nobody knows.
func (s *Service) Wanted(p Phone) string { return s.stock.Load().wanted(p, s.state(p.MAC)) }

// Offer chooses the image for a phone.
func (s *Service) Offer(p Phone) Offer { return s.stock.Load().offer(p, s.state(p.MAC)) }
