package simphone

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// follow moves the phone to the provisioning URL that its files fix, as a real one
// does that is told not to listen to DHCP any more.
func (p *Phone) follow(c params) (moved bool, err error) {
	text := p.vendor.server(c)
	if text == "" || text == p.base.String() {
		return false, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return false, fmt.Errorf("provisioning: the files name the server %q", text)
	}
	p.base = u
	p.step("config", "fetches its files from a URL of its own from now on")
	return true, nil
}

// unclaimed waits until the phone asks again; the error is that ctx has ended.
func (p *Phone) unclaimed(ctx context.Context) error {
	again := p.again
	if p.opts.Poll > 0 {
		again = p.opts.Poll
	}
	t := time.NewTimer(again)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case why := <-p.resync:
		p.step("resync", "%s", why)
	case <-t.C:
	}
	return nil
}

// Polycom: device.prov.* with the boot server "Static" (phone-facts/README.md 2.1).
func polycomServer(c params) string {
	if c["device.dhcp.bootSrvUseOpt"] != "Static" || c["device.prov.serverName"] == "" {
		return ""
	}
	return strings.ToLower(c["device.prov.serverType"]) + "://" + c["device.prov.serverName"]
}

func polycomUnclaimed(c params) (string, time.Duration) {
	if c["prov.polling.enabled"] != "1" {
		return "", 0
	}
	return c["reg.1.label"], time.Duration(number(c["prov.polling.period"])) * time.Second
}

func yealinkServer(c params) string {
	if c["static.auto_provision.dhcp_option.enable"] != "0" {
		return ""
	}
	return c["static.auto_provision.server.url"]
}

func yealinkUnclaimed(c params) (string, time.Duration) {
	if c["static.auto_provision.repeat.enable"] != "1" {
		return "", 0
	}
	return c["account.1.label"], time.Duration(number(c["static.auto_provision.repeat.minutes"])) * time.Minute
}

// Grandstream: P212 is the protocol, P237 the path without it, P145 whether DHCP may
// say otherwise (phone-facts/request_sequence.md 3.1).
func grandstreamServer(c params) string {
	scheme := map[string]string{"0": "tftp", "1": "http", "2": "https"}[c["P212"]]
	if c["P145"] != "0" || scheme == "" || c["P237"] == "" {
		return ""
	}
	return scheme + "://" + c["P237"]
}

func grandstreamUnclaimed(c params) (string, time.Duration) {
	if c["P194"] != "3" {
		return "", 0
	}
	return c["P270"], time.Duration(number(c["P193"])) * time.Minute
}
