package main

import (
	"context"
	"fmt"
	"os"

	"pbx.dev/dialtone/internal/bench"
)

// dhcp measures DISCOVER to ACK of phones behind a relay, beside Kea and dnsmasq: a
// new phone's address and where its files are. Ours is on disk before the ACK.
func (r *runner) dhcp(ctx context.Context) error {
	if os.Geteuid() != 0 || !installed("ip") {
		fmt.Println("# DHCP needs root and ip: no figures")
		return nil
	}
	for _, clients := range []int{1000, 10000} {
		var base *bench.Result
		if installed("/usr/sbin/kea-dhcp4") {
			var err error
			base, err = r.dhcpServer(ctx, nil, clients, "kea, no fsync", func(l *bench.Lab, dir string) (*bench.Process, error) { return l.Kea(ctx, serverCore, dir) })
			if err != nil {
				return err
			}
		}
		if installed("/usr/sbin/dnsmasq") {
			if _, err := r.dhcpServer(ctx, base, clients, "dnsmasq, no file", func(l *bench.Lab, _ string) (*bench.Process, error) { return l.Dnsmasq(ctx, serverCore) }); err != nil {
				return err
			}
		}
		_, err := r.dhcpServer(ctx, base, clients, "dialtone", func(l *bench.Lab, dir string) (*bench.Process, error) {
			return l.Dialtone(ctx, serverCore, r.binary, dir)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) dhcpServer(ctx context.Context, base *bench.Result, clients int, system string, start func(*bench.Lab, string) (*bench.Process, error)) (*bench.Result, error) {
	dir, _, err := r.workdir("dhcp")
	if err != nil {
		return nil, err
	}
	lab, err := bench.NewLab(ctx)
	if err != nil {
		return nil, err
	}
	defer lab.Close()
	p, err := start(lab, dir)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	load := bench.DHCPLoad{Lab: lab, Clients: clients, Parallel: 32, Duration: r.duration, Class: "yealink"}
	return r.measure(base, fmt.Sprintf("DORA, %d clients", clients), system, func() (bench.Result, error) { return load.Run(ctx) }, p)
}
