package simphone

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// vendor is how one maker's phones behave. The sequences are those of
// phone-facts/request_sequence.md 1.2, 2.3 and 3.2, the User-Agents those of
// phone-facts/user_agents.csv.
type vendor struct {
	model     string // default
	httpAgent func(o Options) string
	sipAgent  func(o Options) string
	boot      func(ctx context.Context, p *Phone) (params, error)
	accounts  func(model string, c params) []account
	// server is the provisioning URL that the files fix whatever DHCP says; empty: none.
	server func(c params) string
	// unclaimed is what the phone shows and how soon it asks again, when nothing in
	// the files registers.
	unclaimed func(c params) (label string, again time.Duration)
}

// params are the configuration parameters that the phone read, by name.
type params map[string]string

// account is what a phone needs to register one line.
type account struct {
	line       int
	user, auth string
	password   phone.Secret
	display    string
	host       string // SIP server: registrar and domain
	port       int    // 0: the transport's default
	transport  string // udp, tcp, tls
	proxyHost  string // outbound proxy; empty: none
	proxyPort  int
	expires    int // seconds
}

var vendors = map[phone.Vendor]vendor{
	phone.Polycom: {
		model: "VVX 450",
		httpAgent: func(o Options) string {
			return "FileTransport PolycomVVX-" + underscore(o.Model) + "-UA/6.4.1.2280 Type/Application"
		},
		sipAgent: func(o Options) string { return "PolycomVVX-" + underscore(o.Model) + "-UA/6.4.1.2280" },
		boot:     bootPolycom, accounts: polycomAccounts, server: polycomServer, unclaimed: polycomUnclaimed,
	},
	phone.Yealink: {
		model: "T46S",
		httpAgent: func(o Options) string {
			return "Yealink SIP-" + o.Model + " 66.86.0.15 " + strings.ToLower(o.MAC.String())
		},
		sipAgent: func(o Options) string { return "Yealink SIP-" + o.Model + " 66.86.0.15" },
		boot:     bootYealink, accounts: yealinkAccounts, server: yealinkServer, unclaimed: yealinkUnclaimed,
	},
	phone.Grandstream: {
		model:     "GXP2135",
		httpAgent: func(o Options) string { return "Grandstream Model HW " + o.Model + " SW 1.0.7.97 DevId " + o.MAC.Hex() },
		sipAgent:  func(o Options) string { return "Grandstream " + o.Model + " 1.0.7.97" },
		boot:      bootGrandstream, accounts: grandstreamAccounts, server: grandstreamServer, unclaimed: grandstreamUnclaimed,
	},
}

func underscore(model string) string { return strings.ReplaceAll(model, " ", "_") }

// boot fetches the files in the vendor's order and returns the accounts in them.
func (p *Phone) boot(ctx context.Context) ([]account, error) {
	config, err := p.vendor.boot(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("provisioning: %w", err)
	}
	if moved, err := p.follow(config); moved || err != nil {
		if err != nil {
			return nil, err
		}
		return p.boot(ctx)
	}
	accounts := p.vendor.accounts(p.opts.Model, config)
	if len(accounts) == 0 {
		label, again := p.vendor.unclaimed(config)
		if label == "" {
			return nil, errors.New("provisioning: the files hold no enabled account")
		}
		p.again = again
		p.step("display", "%s (asks again in %s)", label, again)
		return nil, nil
	}
	for _, a := range accounts {
		via := ""
		if a.proxyHost != "" {
			via = fmt.Sprintf(", outbound proxy %s:%d", a.proxyHost, a.proxyPort)
		}
		p.step("config", "line %d: %q, %s@%s, port %d, %s%s", a.line, a.display, a.user, a.host, a.port, a.transport, via)
	}
	return accounts, nil
}
