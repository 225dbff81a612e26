// Package app wires the rooms of the house into one process: it opens the stores,
// binds every socket, constructs the services, runs them and stops them in turn.
// It is the only package besides cmd that reads the configuration.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"pbx.dev/dialtone/firmware"
	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/internal/enroll"
	"pbx.dev/dialtone/internal/feed"
	"pbx.dev/dialtone/internal/history"
	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/lastgood"
	"pbx.dev/dialtone/internal/library"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/rollout"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/internal/support"
	"pbx.dev/dialtone/internal/tlsca"
	"pbx.dev/dialtone/internal/uploads"
	"pbx.dev/dialtone/internal/webhook"
	"pbx.dev/dialtone/provision"
	"pbx.dev/dialtone/provision/dhcp6d"
	"pbx.dev/dialtone/provision/dhcpd"
	"pbx.dev/dialtone/provision/pnp"
	"pbx.dev/dialtone/provision/tftpd"
	"pbx.dev/dialtone/registrar"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/proxy"
	"pbx.dev/dialtone/templates"
)

// Options of New.
type Options struct {
	Config  config.Config
	Out     io.Writer        // gets the admin key of the first start, "ready" and the listener table
	Logger  *slog.Logger     // nil: discard
	Reload  <-chan os.Signal // each value reads again what can be replaced under a running server; nil: never
	Version string
	LogTail *support.Log // the newest lines of Logger, for support bundles; nil: they have none
}

// App is one process. New makes it with every socket bound, Run serves.
type App struct {
	cfg    config.Config
	out    io.Writer
	log    *slog.Logger
	reload <-chan os.Signal
	id     identity

	version string
	started time.Time
	logTail *support.Log

	registry  *prometheus.Registry
	master    []byte // the master key of data_dir
	phoneKey  []byte // of phones' HTTP passwords
	inventory *inventory.Store
	location  location.Store
	mirror    *location.Mirror
	cluster   *cluster                      // nil: there is this node only
	linkHost  string                        // where others reach sip.node_listen when it is auto
	follow    func(context.Context) error   // keeps the mirror, and the store when it is Redis
	storeMode func() string                 // "" or how the store of registrations works now
	freshen   func(context.Context, string) // makes the list learn what other nodes refreshed of an extension; nil: there are none
	roster    *roster.Roster
	relist    chan struct{} // capacity 1: the list has to be read again
	certs     *tlsca.Keeper
	files     *provision.Service
	layers    layers
	templates *templates.Live
	library   *library.Service
	desk      *enroll.Desk
	adoptions chan adoption
	lastGood  *lastgood.Store
	uploads   *uploads.Store
	firmware  *firmware.Service
	restock   chan struct{}  // capacity 1: images and targets have to be read again
	restate   chan phone.MAC // phones whose state of the firmware has to be read again
	sip       *registrar.Server
	proxy     *proxy.Proxy
	pinger    *proxy.Pinger // nil: phones are not asked
	jobs      *rollout.Engine
	feed      *feed.Feed
	events    *location.EventLog // nil: this node's own only
	history   history.History
	revoker   *revoker
	hook      *webhook.Sender // nil: nobody is told
	rotated   chan string     // digest users that have proved their new secret
	guesses   *rate.Limiter   // of whose phone an event is
	tftp      *tftpd.Server
	dhcp      *dhcpd.Server
	pnp       *pnp.Server
	dhcp6     *dhcp6d.Server
	known     *knownPhones // nil: no discovery
	admin     *http.Server
	phones    []*http.Server // HTTP and HTTPS, in the order of sockets
	sockets   *sockets

	serving  atomic.Bool
	cleanups []cleanup
}

// cleanup undoes one step of New.
type cleanup struct {
	name string
	do   func() error
}

// New opens the stores, binds every socket and constructs the services. After an
// error nothing is left open. Nothing is served before Run.
func New(ctx context.Context, o Options) (*App, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &App{cfg: o.Config, out: o.Out, log: o.Logger, reload: o.Reload, version: o.Version, started: time.Now().UTC(), logTail: o.LogTail, registry: newRegistry(o.Version), relist: make(chan struct{}, 1), rotated: make(chan string, provedQueue), guesses: rate.NewLimiter(20, 100)}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"data_dir", a.openDataDir},
		{"identity", a.openIdentity},
		{"inventory", a.openStores},
		{"registrations", a.openLocation},
		{"events", a.openFeed},
		{"history", a.openHistory},
		{"webhook", a.openWebhook},
		{"revoked users", a.openRevoker},
		{"list of phones", a.openRoster},
		{"certificates", a.openCertificates},
		{"listen", a.openSockets},
		{"uploads", a.openUploads},
		{"firmware", a.openFirmware},
		{"enrollment", a.openDesk},
		{"last good files", a.openLastGood},
		{"phone files", a.openFiles},
		{"templates", a.openLibrary},
		{"registrar", a.openSIP},
		{"jobs", a.openJobs},
		{"known phones", a.openKnown},
		{"dhcp", a.openDHCP},
		{"dhcp6", a.openDHCP6},
		{"pnp", a.openPnP},
		{"api", a.openAPI},
	} {
		if err := step.do(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", step.name, err), a.cleanup())
		}
	}
	return a, nil
}

func (a *App) onStop(name string, do func() error) {
	a.cleanups = append(a.cleanups, cleanup{name, do})
}

// cleanup undoes the steps of New, the last one first.
func (a *App) cleanup() error {
	var errs []error
	for i := len(a.cleanups) - 1; i >= 0; i-- {
		if err := a.cleanups[i].do(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", a.cleanups[i].name, err))
		}
	}
	a.cleanups = nil
	return errors.Join(errs...)
}

func (a *App) openStores(ctx context.Context) (err error) {
	a.inventory, a.master, err = openInventory(ctx, a.cfg, inventory.Options{Logger: a.log, Registerer: a.registry})
	if err != nil {
		return err
	}
	a.onStop("inventory", a.inventory.Close)
	key, err := ensureAdminKey(ctx, a.cfg.DataDir, a.inventory)
	if err == nil && !key.IsZero() {
		fmt.Fprintf(a.out, "admin key (also in %s/%s): %s\n", a.cfg.DataDir, adminKeyFile, key.Reveal())
	}
	return err
}

func (a *App) openRoster(ctx context.Context) (err error) {
	if a.roster, err = a.newRoster(ctx); err != nil {
		return err
	}
	a.mirror.Subscribe(a.bindingChanged)
	return nil
}

func (a *App) openCertificates(context.Context) (err error) {
	if a.cfg.HTTPS.Listen == config.Off && a.cfg.HTTPS.LegacyListen == config.Off && a.cfg.SIP.TLS == config.Off && a.cfg.SIP.WSS == config.Off {
		return nil
	}
	tickets, err := subkey(a.master, "tls tickets")
	if err != nil {
		return err
	}
	a.certs, err = tlsca.Open(tlsca.Options{
		Dir: a.cfg.DataDir + "/tls", Hosts: a.id.hostNames(a.cfg), CertFile: a.cfg.HTTPS.Cert, KeyFile: a.cfg.HTTPS.Key,
		ClientCAFile: a.cfg.HTTPS.ClientCA, TicketKey: tickets,
	})
	if err == nil && a.cfg.HTTPS.LegacyListen != config.Off {
		err = a.certs.RSA()
	}
	return err
}

func (a *App) openSockets(ctx context.Context) (err error) {
	cfg, err := a.withLink()
	if err != nil {
		return err
	}
	if a.sockets, err = bindSockets(ctx, cfg); err != nil {
		return err
	}
	a.onStop("sockets", a.sockets.close)
	return nil
}

func (a *App) forgetAfter() time.Duration { return time.Duration(a.cfg.ForgetAfter) }
