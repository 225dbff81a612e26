package app

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/registrar"
	"pbx.dev/dialtone/registrar/digest"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/proxy"
)

// cluster is what this node does with the others behind the same Redis.
type cluster struct {
	app    *App
	client redis.UniversalClient
	store  *location.Redis
	nodes  *location.Nodes
	bus    *location.Bus
	bans   chan registrar.Wrong // to be kept in Redis
}

// bansWaiting is how many bans may wait to be written; more are only told.
const bansWaiting = 1000

// what one node tells all others.
const wrongPassword = "wrong-password"

func (a *App) newCluster(store *location.Redis, options location.NodesOptions) *cluster {
	return &cluster{app: a, store: store, nodes: location.NewNodes(options), bans: make(chan registrar.Wrong, bansWaiting)}
}

// join connects the registrar with those of the other nodes: nonces are good on all
// of them, wrong passwords count on all of them.
func (c *cluster) join() {
	a := c.app
	maker := a.sip.Digest().Maker()
	c.bus = location.NewBus(location.BusOptions{
		Client: c.client, ID: hex.EncodeToString(maker[:]), Heard: c.heard, Answer: c.answer, Logger: a.log, Registerer: a.registry,
	})
	a.sip.Digest().SetTakeOver(c.takeOver)
}

// takeOver asks the node that made a nonce to give it up.
func (c *cluster) takeOver(ctx context.Context, home digest.Maker, nonce []byte) (uint32, bool) {
	text, ok := c.bus.Ask(ctx, hex.EncodeToString(home[:]), base64.RawURLEncoding.EncodeToString(nonce))
	highest, err := strconv.ParseUint(text, 10, 32)
	return uint32(highest), ok && err == nil
}

// answer gives up a nonce of ours.
func (c *cluster) answer(data string) (string, bool) {
	nonce, err := base64.RawURLEncoding.DecodeString(data)
	if err != nil {
		return "", false
	}
	highest, ok := c.app.sip.Digest().GiveUp(nonce)
	return strconv.FormatUint(uint64(highest), 10), ok
}

// heard takes what another node tells.
func (c *cluster) heard(what, data string) {
	var w registrar.Wrong
	if what == wrongPassword && json.Unmarshal([]byte(data), &w) == nil && w.Addr.IsValid() {
		c.app.sip.Count(w)
	}
}

// share tells the others of a wrong password. It does not wait.
func (c *cluster) share(w registrar.Wrong) {
	if text, err := json.Marshal(w); err == nil {
		c.bus.Tell(wrongPassword, string(text))
	}
	if w.Banned == "" {
		return
	}
	select {
	case c.bans <- w:
	default: // the others know; who starts later does not
	}
}

// withLink is the configuration with what "auto" is for sip.node_listen. advertise is not
// taken for its address: several nodes may have the same one, which moves.
func (a *App) withLink() (config.Config, error) {
	cfg := a.cfg
	if cfg.SIP.NodeListen != config.Auto {
		return cfg, nil
	}
	cfg.SIP.NodeListen = config.Off
	if cfg.Database.URL.IsZero() || cfg.Redis.URL.IsZero() {
		return cfg, nil
	}
	cfg.SIP.NodeListen = ":0"
	addr, err := firstAddress()
	a.linkHost = addr.String()
	return cfg, err
}

// nodeAddress is where other nodes reach this one, "" when they do not. It is known
// when the sockets are bound.
func (a *App) nodeAddress() string {
	if a.sockets == nil || a.sockets.node == nil {
		return ""
	}
	want := a.cfg.SIP.NodeAddress
	if _, err := netip.ParseAddrPort(want); err == nil {
		return want
	}
	return net.JoinHostPort(cmp.Or(want, a.linkHost, a.id.advertise), strconv.Itoa(a.sockets.port("sip.node")))
}

// advertised is the host and port of a transport for Via and Record-Route.
func (a *App) advertised(transport string) (string, int) {
	if transport != proxy.Link {
		return a.id.advertise, a.sockets.port("sip." + transport)
	}
	addr, err := netip.ParseAddrPort(a.nodeAddress())
	if err != nil {
		return a.id.advertise, 0
	}
	return addr.Addr().String(), int(addr.Port())
}

// peer is where another node is reached; nil when nodes do not call each other.
func (a *App) peer() func(string) (netip.AddrPort, bool) {
	if a.cluster == nil || a.sockets.node == nil {
		return nil
	}
	return a.cluster.nodes.Peer
}

// serveLink serves the socket of the other nodes.
func (a *App) serveLink(context.Context) error {
	key, err := subkey(a.master, "node link")
	if err != nil {
		return err
	}
	link, err := proxy.NewLink(a.sockets.node, key, nil)
	if err != nil {
		return err
	}
	return a.proxy.ServePacket(proxy.Link, link)
}

// checkLink refuses an address of this node that others could not send to.
func (a *App) checkLink() error {
	if addr := a.nodeAddress(); addr != "" {
		if _, err := netip.ParseAddrPort(addr); err != nil {
			return fmt.Errorf("sip.node_address: advertise is no address, so it has to be given: %w", err)
		}
	}
	return nil
}

const (
	banTimeout = 2 * time.Second
	banRetry   = 2 * time.Second
)

// keepBans reads the bans from before the start, and writes the new ones.
func (c *cluster) keepBans(ctx context.Context) error {
	for !c.recallBans(ctx) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(banRetry):
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case w := <-c.bans:
			name, err := json.Marshal(w)
			call, cancel := context.WithTimeout(ctx, banTimeout)
			if err == nil {
				err = c.store.KeepBan(call, string(name), registrar.BanTime(w.Banned))
			}
			cancel()
			if err != nil && ctx.Err() == nil {
				c.app.log.WarnContext(ctx, "a ban is not kept in redis", slog.Any("error", err))
			}
		}
	}
}

// recallBans reads the bans that nodes have kept; false when they cannot be read.
func (c *cluster) recallBans(ctx context.Context) bool {
	call, cancel := context.WithTimeout(ctx, banTimeout)
	defer cancel()
	kept, err := c.store.Bans(call)
	if err != nil {
		return false
	}
	for name, left := range kept {
		var w registrar.Wrong
		if json.Unmarshal([]byte(name), &w) == nil && w.Addr.IsValid() {
			c.app.sip.Ban(w, left)
		}
	}
	return true
}
