package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/simphone"
	"pbx.dev/dialtone/internal/simphone/fleet"
)

// simulate runs "dialtone phone".
func simulate(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("phone", flag.ContinueOnError)
	vendor := fs.String("vendor", "yealink", "polycom, yealink or grandstream")
	mac := fs.String("mac", "", "MAC address of the phone, any spelling")
	model := fs.String("model", "", "model; empty: a common one of the vendor")
	server := fs.String("server", "http://127.0.0.1:8081/", "provisioning `URL`: http, https or tftp; with a token as POST .../token shows it")
	byPnP := fs.Bool("pnp", false, "ask by SIP PnP multicast for the URL instead of --server")
	iface := fs.String("interface", "", "`NAME` of the interface to ask on with --pnp; empty: the first one")
	ca := fs.String("ca", "", "PEM `file` with a CA to trust (data/tls/ca.pem)")
	cert := fs.String("cert", "", "PEM `file` with the phone's client certificate; needs --key")
	key := fs.String("key", "", "PEM `file` with the key of --cert")
	poll := fs.Duration("poll", 0, "how soon a phone that shows a claim code asks again; 0: as its files say")
	ring := fs.Duration("answer-after", time.Second, "how long to ring before answering; negative: never answer")
	stay := fs.Duration("for", 0, "unplug after this time; 0: on Ctrl-C")
	hosts := map[string]string{}
	fs.Func("resolve", "`HOST=ADDRESS` instead of DNS, as in /etc/hosts; may be repeated", func(s string) error {
		host, addr, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("%q is not HOST=ADDRESS", s)
		}
		hosts[host] = addr
		return nil
	})
	many := newFleetFlags(fs)
	if err := parse(fs, args); err != nil {
		return err
	}
	trust, err := trusted(*ca)
	if err != nil {
		return fmt.Errorf("--ca: %w", err)
	}
	if *many.size > 0 {
		return many.run(ctx, fleet.Options{Server: *server, Resolve: hosts, Stay: *stay}, trust)
	}
	m, err := phone.ParseMAC(*mac)
	if err != nil {
		return fmt.Errorf("--mac: %w", err)
	}
	factory, err := certificate(*cert, *key)
	if err != nil {
		return fmt.Errorf("--cert: %w", err)
	}
	o := simphone.Options{
		Vendor: phone.Vendor(strings.ToLower(*vendor)), MAC: m, Model: *model, Server: *server, Certificate: factory, Poll: *poll,
		Resolve: hosts, Trust: trust, RingFor: *ring, Out: os.Stdout,
	}
	if *byPnP {
		if o.Server, err = simphone.FindByPnP(ctx, o, *iface); err != nil {
			return err
		}
		fmt.Printf("%-9s %s\n", "pnp", o.Server)
	}
	p, err := simphone.New(o)
	if err != nil {
		return err
	}
	if *stay > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *stay)
		defer cancel()
	}
	return p.Run(ctx)
}

// certificate reads a client certificate; nil for no file.
func certificate(cert, key string) (*tls.Certificate, error) {
	if cert == "" && key == "" {
		return nil, nil
	}
	c, err := tls.LoadX509KeyPair(cert, key)
	return &c, err
}

// trusted returns the system's CAs and those in file; nil for no file.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}
