package simphone

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// yealinkCommon is the y-code of the default model (T46S: 66, phone-facts/README.md 3.2).
const yealinkCommon = "y000000000066.cfg"

// bootYealink follows phone-facts/request_sequence.md 2.3 for V81 and later: a
// boot file with its includes, else the common and the MAC file. The last
// definition of a parameter wins.
func bootYealink(ctx context.Context, p *Phone) (params, error) {
	mac := p.opts.MAC.Hex()
	files := []string{yealinkCommon, mac + ".cfg"}
	boot, err := p.fetch(ctx, mac+".boot")
	if errors.Is(err, errAbsent) {
		boot, err = p.optional(ctx, "y000000000000.boot")
	}
	if err != nil {
		return nil, err
	}
	if boot != nil {
		if files, err = includes(boot, mac); err != nil {
			return nil, fmt.Errorf("boot file: %w", err)
		}
	}
	config := params{}
	found := false
	for _, name := range files {
		body, err := p.optional(ctx, name)
		if err != nil {
			return nil, err
		}
		if body == nil {
			continue
		}
		found = true
		if err := config.addLines(body); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if !found {
		return nil, fmt.Errorf("the server has none of %s", strings.Join(files, ", "))
	}
	return config, nil
}

const yealinkHeader = "#!version:1.0.0.1"

// includes returns the files that a boot file names, top to bottom.
func includes(boot []byte, mac string) ([]string, error) {
	var out []string
	for i, line := range strings.Split(strings.ReplaceAll(string(boot), "\r", ""), "\n") {
		if i == 0 && line != yealinkHeader {
			return nil, fmt.Errorf("line 1 is not %s", yealinkHeader)
		}
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "include:config"); ok {
			name = strings.Trim(strings.TrimSpace(name), `"<>`)
			out = append(out, strings.ReplaceAll(name, "$MAC", mac))
		}
	}
	return out, nil
}

// addLines reads "key = value" lines over c.
func (c params) addLines(body []byte) error {
	for i, line := range strings.Split(strings.ReplaceAll(string(body), "\r", ""), "\n") {
		if i == 0 && line != yealinkHeader {
			return fmt.Errorf("line 1 is not %s", yealinkHeader)
		}
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("line %d has no '='", i+1)
		}
		value = strings.TrimSpace(value)
		if value == "%NULL%" || value == "%EMPTY%" {
			value = ""
		}
		c[strings.TrimSpace(key)] = value
	}
	return nil
}

func yealinkAccounts(_ string, c params) []account {
	var out []account
	for n := 1; n <= 16; n++ {
		k := "account." + strconv.Itoa(n) + "."
		if c[k+"enable"] != "1" || c[k+"sip_server.1.address"] == "" {
			continue
		}
		a := account{
			line: n, user: c[k+"user_name"], auth: cmp.Or(c[k+"auth_name"], c[k+"user_name"]), password: secret(c[k+"password"]),
			display: c[k+"display_name"], host: c[k+"sip_server.1.address"], port: number(c[k+"sip_server.1.port"]),
			transport: []string{"udp", "tcp", "tls", "udp"}[number(c[k+"sip_server.1.transport_type"])&3],
			expires:   number(c[k+"sip_server.1.expires"]),
		}
		if c[k+"outbound_proxy_enable"] == "1" {
			a.proxyHost, a.proxyPort = c[k+"outbound_proxy.1.address"], number(c[k+"outbound_proxy.1.port"])
		}
		out = append(out, a)
	}
	return out
}

// number reads a whole number; what is none is 0, as on a phone.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

func secret(s string) phone.Secret { return phone.NewSecret(s) }
