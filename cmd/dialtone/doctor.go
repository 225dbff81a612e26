package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/app"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/provision/dhcpd"
)

// doctor runs "dialtone doctor dhcp" and "dialtone doctor snippet".
func doctor(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "dhcp":
			return doctorDHCP(ctx, args[1:])
		case "snippet":
			return doctorSnippet(args[1:])
		}
	}
	fmt.Fprint(os.Stderr, "usage: dialtone doctor dhcp --mac MAC [--vendor-class TEXT] [--ask 66,160] [--interface NAME] [settings]\n"+
		"       dialtone doctor snippet isc|kea|dnsmasq|mikrotik|windows [settings]\n")
	if len(args) == 0 || (args[0] != "-h" && args[0] != "--help") {
		return errUsage
	}
	return nil
}

func doctorDHCP(ctx context.Context, args []string) error {
	var mac, class, ask, iface string
	cfg, err := loadConfig("doctor dhcp", args, func(fs *flag.FlagSet) {
		fs.StringVar(&mac, "mac", "", "MAC address of the phone, any spelling")
		fs.StringVar(&class, "vendor-class", "", "option 60 as the phone sends it; \\xNN is a byte")
		fs.StringVar(&ask, "ask", "66,160", "options that the phone asks for; empty: none")
		fs.StringVar(&iface, "interface", "", "also ask the servers on this interface")
	})
	if err != nil {
		return err
	}
	q := dhcpd.Question{}
	if q.MAC, err = phone.ParseMAC(mac); err != nil {
		return fmt.Errorf("--mac: %w", err)
	}
	if q.Class, err = unescape(class); err != nil {
		return fmt.Errorf("--vendor-class: %w", err)
	}
	if q.Asked, err = optionCodes(ask); err != nil {
		return fmt.Errorf("--ask: %w", err)
	}
	return app.DoctorDHCP(ctx, cfg, q, iface, os.Stdout)
}

// unescape reads \xNN, for vendor classes that are no text.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	return strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
}

func optionCodes(list string) ([]uint8, error) {
	var out []uint8
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || n == 0 || n == 255 {
			return nil, fmt.Errorf("%q is not an option from 1 to 254", part)
		}
		out = append(out, uint8(n))
	}
	if len(out) > 255 {
		return nil, fmt.Errorf("more than 255 options")
	}
	return out, nil
}

func doctorSnippet(args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("doctor snippet: which server? isc, kea, dnsmasq, mikrotik or windows")
	}
	cfg, err := loadConfig("doctor snippet", args[1:], nil)
	if err != nil {
		return err
	}
	list, err := app.DHCPSnippets(cfg)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(s dhcpd.Snippet) bool { return s.Server == args[0] })
	if i < 0 {
		return fmt.Errorf("doctor snippet: no snippet for %q; there are isc, kea, dnsmasq, mikrotik and windows", args[0])
	}
	if !list[i].Tried {
		fmt.Fprintf(os.Stderr, "note: made after the documentation of %s, not tried on one\n", list[i].Title)
	}
	_, err = os.Stdout.WriteString(list[i].Text)
	return err
}
