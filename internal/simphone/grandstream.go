package simphone

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// bootGrandstream follows phone-facts/request_sequence.md 3.2: the legacy binary,
// then the MAC file, on failure the model's, then the common file.
func bootGrandstream(ctx context.Context, p *Phone) (params, error) {
	mac := p.opts.MAC.Hex()
	if _, err := p.optional(ctx, "cfg"+mac); err != nil {
		return nil, err
	}
	body, err := p.firstOf(ctx, "cfg"+mac+".xml", "cfg"+strings.ToLower(strings.ReplaceAll(p.opts.Model, " ", ""))+".xml", "cfg.xml")
	if err != nil {
		return nil, err
	}
	config, err := pValues(body, mac)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return config, nil
}

// pValues reads <gs_provision>; a <mac> element that is not this phone's makes
// the phone refuse the file.
func pValues(body []byte, mac string) (params, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	config, name, text := params{}, "", ""
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return config, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			name, text = t.Name.Local, ""
		case xml.CharData:
			text += string(t)
		case xml.EndElement:
			if t.Name.Local != name {
				continue
			}
			if name == "mac" && !strings.EqualFold(text, mac) {
				return nil, fmt.Errorf("the file is for %s", text)
			}
			config[name] = text
			name = ""
		}
	}
}

// gsAccount holds the P-values of one account (phone-facts/params/grandstream_pvalues.csv).
type gsAccount struct{ active, server, proxy, user, auth, password, display, transport, expires string }

var gsAccounts = []gsAccount{
	{"P271", "P47", "P48", "P35", "P36", "P34", "P3", "P130", "P32"},
	{"P401", "P402", "P403", "P404", "P405", "P406", "P407", "P448", "P412"},
	{"P501", "P502", "P503", "P504", "P505", "P506", "P507", "P548", "P512"},
	{"P601", "P602", "P603", "P604", "P605", "P606", "P607", "P648", "P612"},
	{"P1701", "P1702", "P1703", "P1704", "P1705", "P1706", "P1707", "P1748", "P1712"},
	{"P1801", "P1802", "P1803", "P1804", "P1805", "P1806", "P1807", "P1848", "P1812"},
}

// secondPort is the second account of analogue adapters with one or two ports.
var secondPort = gsAccount{"P401", "P747", "P748", "P735", "P736", "P734", "P703", "P830", "P732"}

func grandstreamAccounts(model string, c params) []account {
	var out []account
	for i, p := range gsAccounts {
		if i > 0 && strings.HasPrefix(model, "HT") {
			p = secondPort
		}
		if i > 1 && strings.HasPrefix(model, "HT") {
			break
		}
		if c[p.active] != "1" || c[p.server] == "" {
			continue
		}
		a := account{
			line: i + 1, user: c[p.user], auth: cmp.Or(c[p.auth], c[p.user]), password: secret(c[p.password]),
			display: c[p.display], transport: []string{"udp", "tcp", "tls", "udp"}[number(c[p.transport])&3],
			expires: number(c[p.expires]) * 60,
		}
		a.host, a.port = hostPort(c[p.server])
		if c[p.proxy] != "" {
			a.proxyHost, a.proxyPort = hostPort(c[p.proxy])
		}
		out = append(out, a)
	}
	return out
}

// hostPort splits "host" or "host:port"; a missing port is 0.
func hostPort(s string) (string, int) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return s, 0
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return s, 0
	}
	return host, n
}
