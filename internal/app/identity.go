package app

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/internal/durable"
	"pbx.dev/dialtone/internal/phone"
)

// identity is who this process is: its names, its address and its keys.
type identity struct {
	node      string // stable name of this process among several
	boot      string // differs at each start
	advertise string // address or name written into DHCP, templates and SIP
}

func newIdentity(cfg config.Config) (identity, error) {
	id := identity{node: cfg.Node, boot: strings.ToLower(rand.Text()[:12]), advertise: cfg.Advertise}
	if id.node == "" {
		host, err := os.Hostname()
		if err != nil {
			return id, fmt.Errorf("host name: %w", err)
		}
		id.node = host
	}
	if id.advertise == "" {
		addr, err := firstAddress()
		if err != nil {
			return id, err
		}
		id.advertise = addr.String()
	}
	return id, nil
}

// firstAddress is the first IPv4 address of this host that is not loopback;
// a host without one advertises loopback.
func firstAddress() (netip.Addr, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("addresses of this host: %w", err)
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if ip := prefix.Addr().Unmap(); ip.Is4() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			return ip, nil
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
}

// hostNames are the names and addresses that this server's certificate is for.
func (id identity) hostNames(cfg config.Config) []string {
	names := []string{cfg.SIP.Server, id.advertise, "localhost", "127.0.0.1", "::1"}
	if addrs, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
				names = append(names, p.Addr().String())
			}
		}
	}
	seen := map[string]bool{}
	unique := names[:0]
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			unique = append(unique, n)
		}
	}
	return unique
}

// subkey derives a key for one purpose from the master key, so that nodes which
// share the database's key share nonces and flow tokens too.
func subkey(master []byte, purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, master, nil, "dialtone "+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the %s key: %w", purpose, err)
	}
	return key, nil
}

// mayBindLow reports whether the process may bind ports below 1024.
func mayBindLow() bool {
	var hdr unix.CapUserHeader
	var data [2]unix.CapUserData
	hdr.Version = unix.LINUX_CAPABILITY_VERSION_3
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return os.Geteuid() == 0
	}
	return data[0].Effective&(1<<unix.CAP_NET_BIND_SERVICE) != 0
}

// secretFile reads a secret of data_dir, or makes it with create on the first
// start (mode 0600).
func secretFile(dir, name string, create func() (string, error)) (secret phone.Secret, made bool, err error) {
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if err == nil {
		return phone.NewSecret(strings.TrimSpace(string(b))), false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, false, err
	}
	text, err := create()
	if err != nil {
		return secret, false, err
	}
	return phone.NewSecret(text), true, durable.WriteFile(path, []byte(text+"\n"), 0o600)
}

// phonePassword makes a password for the phones' menus: digits, since it is
// typed on a keypad. It comes from the master key, so that nodes which share that
// make the same: a phone's file must not depend on who gives it.
func phonePassword(master []byte) (string, error) {
	b, err := subkey(master, "phone menus")
	if err != nil {
		return "", err
	}
	b = b[:8]
	for i := range b {
		b[i] = '0' + b[i]%10
	}
	return string(b), nil
}
