// Package library keeps the templates that phones' files are made from: the ones
// built in and those that administrators upload. It checks a template before it can
// reach a phone, says which phones a change concerns and how their files change, and
// puts what is active in use. It neither renders for phones nor speaks HTTP.
package library

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// Reader is what Service reads of the inventory.
type Reader interface {
	Template(ctx context.Context, name string) (phone.Template, error)
	TemplateRevision(ctx context.Context, name string, number int64) (phone.TemplateRevision, error)
	TemplateRevisions(ctx context.Context, name string, before int64, limit int) ([]phone.TemplateRevision, error)
	// ShownTemplates returns all templates by name, each beside its active revision,
	// else its newest.
	ShownTemplates(ctx context.Context) ([]phone.Template, []phone.TemplateRevision, error)
	// ActiveTemplates returns what phones get, each template beside its revision.
	ActiveTemplates(ctx context.Context) ([]phone.Template, []phone.TemplateRevision, error)
}

// Writer is what Service writes. Errors are phone.ErrNotFound, phone.ErrConflict and
// phone.FieldError.
type Writer interface {
	CreateTemplate(ctx context.Context, t phone.Template, d phone.TemplateDraft) (phone.Template, phone.TemplateRevision, error)
	UpdateTemplate(ctx context.Context, name string, d phone.TemplateDraft) (phone.Template, phone.TemplateRevision, error)
	ActivateTemplate(ctx context.Context, name string, number int64, check phone.Check[phone.Template]) (phone.Template, error)
	DeleteTemplate(ctx context.Context, name string, check phone.Check[phone.Template]) error
}

// Devices lists the phones of the inventory.
type Devices interface {
	// Devices returns up to limit devices with an id after after, by id.
	Devices(ctx context.Context, after string, limit int) ([]phone.Device, error)
	Device(ctx context.Context, id string) (phone.Device, error)
}

// Files renders what a phone would get.
type Files interface {
	// With renders the file that c is the template of, for d, with secrets masked.
	With(ctx context.Context, d phone.Device, c templates.Choice) ([]byte, error)
}

// Options of New; all but Logger and Registerer are required.
type Options struct {
	Reader  Reader
	Writer  Writer
	Devices Devices
	Files   Files
	Live    *templates.Live
	Trials  TrialStore  // nil: no revision is given to some phones first
	Packs   interface { // nil: packs are not taken
		StoreTemplates(ctx context.Context, list []phone.Template, drafts []phone.TemplateDraft) error
	}
	Shared bool // other nodes serve phones as well
	// FirmwareOf is the firmware a phone was last seen with; empty: not known.
	FirmwareOf func(phone.Device) string

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Service is the library. It is safe for concurrent use.
type Service struct {
	opts   Options
	log    *slog.Logger
	stale  chan struct{} // capacity 1: another node changed a template
	broken prometheus.Gauge
	trials atomic.Pointer[map[string]*trial] // by file; nil: there are none

	mu     sync.Mutex                        // held while what is active is read and put in use
	faults atomic.Pointer[map[string]string] // by template: why it cannot be used
}

// New returns the library with what is active put in use. A template that the
// program of today cannot use any more does not keep it from starting: phones get
// the built-in one, and Fault says why.
func New(ctx context.Context, o Options) (*Service, error) {
	s := &Service{
		opts: o, log: o.Logger, stale: make(chan struct{}, 1),
		broken: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "dialtone_templates_broken", Help: "Active templates that cannot be used; phones get the built-in ones.",
		}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.log = s.log.With("component", "library")
	if o.Registerer != nil {
		if err := o.Registerer.Register(s.broken); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return s, s.Reload(ctx)
}

// Reload puts in use what is active now. When that cannot be read, what is in use
// stays.
func (s *Service) Reload(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reload(ctx)
}

// reload is Reload with s.mu held.
func (s *Service) reload(ctx context.Context) error {
	variants, err := s.active(ctx)
	if err != nil {
		return err
	}
	lib, errs := templates.NewLibrary(templates.Builtin(), variants...)
	s.opts.Live.Swap(lib)
	faults := map[string]string{}
	for _, err := range errs {
		var fault *templates.VariantError
		if errors.As(err, &fault) {
			faults[fault.Name] = fault.Err.Error()
		}
		s.log.ErrorContext(ctx, "a template cannot be used: its phones get the built-in one", "error", err)
	}
	s.faults.Store(&faults)
	s.broken.Set(float64(len(errs)))
	if err := s.loadTrials(ctx, variants); err != nil {
		return fmt.Errorf("read the rollouts of templates: %w", err)
	}
	return nil
}

// active are the templates that phones get, as they are stored.
func (s *Service) active(ctx context.Context) ([]templates.Variant, error) {
	list, revisions, err := s.opts.Reader.ActiveTemplates(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the active templates: %w", err)
	}
	variants := make([]templates.Variant, len(list))
	for i, t := range list {
		variants[i] = variantOf(t, revisions[i])
	}
	return variants, nil
}

// Changed says that another node changed a template. It does not block.
func (s *Service) Changed() {
	select {
	case s.stale <- struct{}{}:
	default:
	}
}

// Run reloads after every Changed until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.stale:
			if err := s.Reload(ctx); err != nil && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "templates not read again; the old ones stay", "error", err)
			}
		}
	}
}

func variantOf(t phone.Template, r phone.TemplateRevision) templates.Variant {
	return templates.Variant{
		Name: t.Name, File: fileOf(t), Revision: r.Number, Text: r.Text, Models: r.Models,
		MinFirmware: r.MinFirmware, MaxFirmware: r.MaxFirmware, Variables: r.Variables,
	}
}

// fileOf is a template's file as package templates names it: "yealink/phone".
func fileOf(t phone.Template) string { return path.Join(string(t.Vendor), t.File) }

// builtinName is the name of the built-in template of a file: "yealink-phone".
func builtinName(file string) string { return strings.Replace(file, "/", "-", 1) }

// builtin finds the file of a built-in template by its name.
func builtin(name string) (phone.Template, bool) {
	for _, file := range templates.Builtin().Names() {
		if builtinName(file) == name {
			return phone.Template{Name: name, Vendor: phone.Vendor(path.Dir(file)), File: path.Base(file)}, true
		}
	}
	return phone.Template{}, false
}
