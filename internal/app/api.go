package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"pbx.dev/dialtone/api"
	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/tlsalert"
	"pbx.dev/dialtone/provision"
	"pbx.dev/dialtone/templates"
)

// openAPI makes the server of the admin listener.
func (a *App) openAPI(context.Context) error {
	sessionKey, err := subkey(a.master, "page sessions")
	if err != nil {
		return err
	}
	handler, err := api.New(api.Options{
		SessionKey:      sessionKey,
		Roster:          a.roster,
		Devices:         a.inventory,
		Extensions:      a.inventory,
		Credentials:     a.inventory,
		Keys:            a.inventory,
		Timeline:        a.inventory,
		Uploads:         a.uploads,
		Firmware:        a.firmware,
		FirmwareTargets: a.firmware,
		FirmwareOffer:   images{a.firmware, a.roster}.offer,
		Claims:          claims{a},
		Enrollment:      a.inventory,
		EnrollClosed:    a.cfg.Provision.Enroll == string(provision.EnrollClosed),
		Bans:            a.bans,
		Pardon:          a.pardon,
		Files:           previews{a.files},
		Templates:       a.library,
		VendorOf:        vendorOf,
		CheckPhone:      a.files.CheckPhone,
		Layers:          a.inventory,
		CheckLayer:      a.files.CheckLayer,
		LayerWarnings:   a.files.InheritedWarnings,
		Effective:       a.effective,
		HasEffect:       a.files.HasEffect,
		NoEffect:        a.files.NoEffect,
		NoEffectValues:  a.files.NoEffectValues,
		Uses:            func(setting string) []templates.Use { return a.templates.Library().Uses(setting) },
		Snippets:        a.snippets,
		DHCPServers:     a.dhcpServers,
		History:         a.past,
		Ready:           a.ready,
		Latency:         a.latency,
		MetricsHandler:  a.metricsHandler(),
		Tokens:          a.inventory,
		TokenURL:        func(t phone.Secret) phone.Secret { return provision.TokenURL(a.baseURL(), t) },
		Jobs:            a.inventory,
		JobRunner:       a.jobs,
		Feed:            a.feed,
		Support:         a.support,
		Auditor:         a.inventory,
		Replacer:        a.inventory,
		Replays:         a.inventory,
		Sessions:        a.inventory,
		Imports:         a.inventory,
		Settle:          a.settle,
		Logger:          a.log,
		Registerer:      a.registry,
	})
	if err != nil {
		return err
	}
	a.admin = &http.Server{
		Handler: a.sayStale(handler), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	return nil
}

// sayStale marks what is read from memory while the store of registrations cannot
// be reached (Warning 110, RFC 7234 section 5.5.1).
func (a *App) sayStale(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if mode := a.storeMode(); mode != "" && r.Method == http.MethodGet {
			w.Header().Set("Warning", `110 dialtone "registrations are `+mode+`"`)
		}
		h.ServeHTTP(w, r)
	})
}

// readyTimeout bounds one look at what the process depends on.
const readyTimeout = time.Second

// ready reports what must work before the process takes work.
func (a *App) ready() []api.ReadyCheck {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	check := func(name string, err error, sentence string) api.ReadyCheck {
		c := api.ReadyCheck{Name: name, OK: err == nil}
		if err != nil {
			c.Detail = sentence
		}
		return c
	}
	_, _, inventoryErr := a.inventory.Counts(ctx)
	var serving, mirrored error
	if !a.serving.Load() {
		serving = errors.New("not serving")
	}
	if !a.mirror.Ready() {
		mirrored = errors.New("not loaded")
	}
	return []api.ReadyCheck{
		check("listeners", serving, "starting or stopping"),
		check("inventory", inventoryErr, "the database does not answer"),
		check("registrations", a.location.Ping(ctx), cmp.Or(a.storeMode(), "the store of registrations cannot be written")),
		schemaCheck(ctx, a.inventory),
		check("list", mirrored, "the list of registrations is still being read"),
	}
}

// schemaCheck fails when a newer program has changed the database so that this one does
// not understand it any more.
func schemaCheck(ctx context.Context, inv *inventory.Store) api.ReadyCheck {
	c := api.ReadyCheck{Name: "schema", OK: true}
	if err := inv.CheckSchema(ctx); errors.Is(err, inventory.ErrNewer) { // the check before says the rest
		c.OK, c.Detail = false, err.Error()
	}
	return c
}

// previews gives the API the files of a phone with the secrets masked.
type previews struct{ files *provision.Service }

func (p previews) Names(d phone.Device) []string { return provision.Names(d) }

func (p previews) Preview(ctx context.Context, d phone.Device, file string) ([]byte, string, error) {
	body, err := p.files.Preview(ctx, d, file)
	return body, "text/plain; charset=utf-8", err
}

func (p previews) Explain(ctx context.Context, d phone.Device, file string) ([]phone.FileLine, error) {
	return p.files.Explain(ctx, d, file)
}

// serveHTTP serves until Shutdown.
func serveHTTP(s *http.Server, l net.Listener, secure bool) error {
	if secure {
		l = tls.NewListener(tlsalert.Listener{Listener: l}, s.TLSConfig)
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
