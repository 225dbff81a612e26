package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"pbx.dev/dialtone/api"
	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/provision/dhcpd"
)

// askWait is how long the doctor waits for servers on a segment: some look for
// seconds whether an address is used before they offer it.
const askWait = 5 * time.Second

// DoctorDHCP prints what a phone would get from this configuration by DHCP, and why.
// With an interface it also asks there and prints what every server answers.
func DoctorDHCP(ctx context.Context, cfg config.Config, q dhcpd.Question, iface string, out io.Writer) error {
	id, err := newIdentity(cfg)
	if err != nil {
		return err
	}
	if cfg.DHCP.Mode == config.Off {
		fmt.Fprintln(out, "dhcp.mode is off: this is what proxy mode would do")
		cfg.DHCP.Mode = string(dhcpd.Proxy)
	}
	cfg.DHCP.Interface = cmp.Or(cfg.DHCP.Interface, iface, "eth0")
	o, err := dhcpOptions(cfg, id.advertise, configuredPort(cfg))
	if err != nil {
		return err
	}
	a, err := dhcpd.Explain(ctx, o, q)
	if err != nil {
		return err
	}
	printAnswer(out, q, a)
	if iface == "" {
		return nil
	}
	return printServers(ctx, out, o, q, iface)
}

func printAnswer(out io.Writer, q dhcpd.Question, a dhcpd.Answer) {
	kind := "no phone by any sign"
	if a.Row != "" {
		kind = "a phone of kind " + a.Row
	}
	if a.By != "" {
		kind += ", known by its " + a.By
	}
	fmt.Fprintf(out, "%s is %s\n", q.MAC, kind)
	fmt.Fprintf(out, "DISCOVER: %s: %s\n", a.Outcome, a.Reason)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, g := range a.Options {
		fmt.Fprintf(w, "  option %d\t%s\t%s\n", g.Code, g.Value, g.Source)
	}
	for _, m := range a.Missing {
		fmt.Fprintf(w, "  option %d\tnot sent\t%s\n", m.Code, m.Reason)
	}
	_ = w.Flush() // what printing to a terminal returns cannot be acted on
}

// printServers asks on the segment; a server that sends phones elsewhere is an error.
func printServers(ctx context.Context, out io.Writer, o dhcpd.Options, q dhcpd.Question, iface string) error {
	fmt.Fprintf(out, "asking on %s for %s ...\n", iface, askWait)
	offers, err := dhcpd.Ask(ctx, iface, q, askWait)
	if err != nil {
		return err
	}
	if len(offers) == 0 {
		fmt.Fprintln(out, "  nobody answered")
	}
	servers, elsewhere := map[string]bool{}, 0
	for _, f := range offers {
		servers[f.Server.String()] = true
		address := "no address"
		if f.Addr.IsValid() {
			address = f.Addr.String()
		}
		fmt.Fprintf(out, "  server %s offers %s\n", f.Server, address)
		for _, code := range []uint8{66, 67, 150, 160} {
			v, ok := f.Values[code]
			if !ok {
				continue
			}
			note := ""
			if (code == 66 || code == 160) && !o.Ours(v) {
				note, elsewhere = "  <- not this server", elsewhere+1
			}
			fmt.Fprintf(out, "    option %d  %q%s\n", code, v, note)
		}
	}
	if len(servers) > 1 {
		fmt.Fprintf(out, "%d DHCP servers answer on this segment: a phone takes whichever is first\n", len(servers))
	}
	if elsewhere > 0 {
		return fmt.Errorf("a DHCP server on %s sends phones elsewhere", iface)
	}
	return nil
}

// DHCPSnippets are pieces of configuration for other DHCP servers.
func DHCPSnippets(cfg config.Config) ([]dhcpd.Snippet, error) {
	id, err := newIdentity(cfg)
	if err != nil {
		return nil, err
	}
	facts, err := dhcpFacts(cfg, id.advertise, configuredPort(cfg))
	if err != nil {
		return nil, err
	}
	return dhcpd.Snippets(facts)
}

// configuredPort is the port that a listener has by its configuration: without one
// that listens there is nobody else to ask.
func configuredPort(cfg config.Config) func(string) int {
	tftp := cfg.TFTP.Listen
	if tftp == "" {
		tftp = ":6969"
		if mayBindLow() {
			tftp = ":69"
		}
	}
	listen := map[string]string{"http": cfg.HTTP.Listen, "https": cfg.HTTPS.Listen, "tftp": tftp}
	return func(name string) int {
		_, port, err := net.SplitHostPort(listen[name])
		n, convErr := strconv.Atoi(port)
		if err != nil || convErr != nil {
			return 0 // off
		}
		return n
	}
}

// snippets are those of the running server for the API.
func (a *App) snippets() ([]api.Snippet, error) {
	facts, err := dhcpFacts(a.cfg, a.id.advertise, a.sockets.port)
	if err != nil {
		return nil, err
	}
	list, err := dhcpd.Snippets(facts)
	out := make([]api.Snippet, len(list))
	for i, s := range list {
		out[i] = api.Snippet{Server: s.Server, Title: s.Title, Tried: s.Tried, Text: strings.TrimSpace(s.Text) + "\n"}
	}
	return out, err
}
