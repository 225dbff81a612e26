package simphone

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// bootPolycom follows the capture in phone-facts/request_sequence.md 1.2: the
// master, the files it names from left to right, then overrides, licences and
// the directory. The first definition of a parameter wins.
func bootPolycom(ctx context.Context, p *Phone) (params, error) {
	mac := p.opts.MAC.Hex()
	master, err := p.firstOf(ctx, mac+".cfg", "000000000000.cfg")
	if err != nil {
		return nil, err
	}
	attrs, err := xmlAttributes(master)
	if err != nil {
		return nil, fmt.Errorf("master file: %w", err)
	}
	files, ok := attrs["CONFIG_FILES"]
	if !ok {
		return nil, errors.New("master file: no CONFIG_FILES")
	}
	config := params{}
	for name := range strings.SplitSeq(files, ",") {
		name = strings.TrimSpace(strings.ReplaceAll(name, "[PHONE_MAC_ADDRESS]", mac))
		if name == "" {
			continue
		}
		body, err := p.optional(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := config.addXML(body); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range []string{
		mac + "-phone.cfg", mac + "-web.cfg", "000000000000-license.cfg", mac + "-license.cfg",
		mac + "-calls.xml", mac + "-directory.xml", "000000000000-directory.xml",
	} {
		if _, err := p.optional(ctx, name); err != nil {
			return nil, err
		}
	}
	return config, nil
}

// addXML adds the attributes of a configuration file that are not there yet.
func (c params) addXML(body []byte) error {
	attrs, err := xmlAttributes(body)
	for k, v := range attrs {
		if _, ok := c[k]; !ok {
			c[k] = v
		}
	}
	return err
}

// xmlAttributes reads all attributes of all elements; element names and nesting
// mean nothing to a Polycom phone. An attribute given twice in one element makes
// the file unreadable, as it does for the phone.
func xmlAttributes(body []byte) (map[string]string, error) {
	out := map[string]string{}
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		el, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		seen := map[string]bool{}
		for _, a := range el.Attr {
			if seen[a.Name.Local] {
				return nil, fmt.Errorf("attribute %s stands twice in <%s>", a.Name.Local, el.Name.Local)
			}
			seen[a.Name.Local] = true
			if _, ok := out[a.Name.Local]; !ok {
				out[a.Name.Local] = a.Value
			}
		}
	}
}

func polycomAccounts(_ string, c params) []account {
	var out []account
	for n := 1; n <= 48; n++ {
		reg := "reg." + strconv.Itoa(n) + "."
		user, _, _ := strings.Cut(c[reg+"address"], "@")
		host := cmp.Or(c[reg+"server.1.address"], c["voIpProt.server.1.address"])
		if user == "" || host == "" {
			continue
		}
		out = append(out, account{
			line: n, user: user, auth: cmp.Or(c[reg+"auth.userId"], user), password: secret(c[reg+"auth.password"]),
			display: c[reg+"displayName"], host: host, port: number(c[reg+"server.1.port"]),
			transport: polycomTransport(c[reg+"server.1.transport"]),
			proxyHost: c[reg+"outboundProxy.address"], proxyPort: number(c[reg+"outboundProxy.port"]),
			expires: number(c[reg+"server.1.expires"]),
		})
	}
	return out
}

func polycomTransport(v string) string {
	switch v {
	case "TCPOnly", "TCPpreferred":
		return "tcp"
	case "TLS":
		return "tls"
	}
	return "udp"
}
