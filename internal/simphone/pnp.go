package simphone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/textproto"
	"strings"
	"time"

	"golang.org/x/net/ipv4"
)

// PnPTimeout is how long phones ask for by multicast before they go on without
// (PROVISIONING.md 3: five seconds).
const PnPTimeout = 5 * time.Second

const pnpResend = 500 * time.Millisecond

// FindByPnP asks by SIP PnP where the phone's files are, as Yealink phones do
// (phone-facts/request_sequence.md 2.2), and returns the URL of the NOTIFY. iface is
// where to ask; empty: the first interface with an IPv4 address that is not loopback.
// Of o the vendor, model, MAC address and Out are used.
func FindByPnP(ctx context.Context, o Options, iface string) (string, error) {
	v, ok := vendors[o.Vendor]
	if !ok {
		return "", fmt.Errorf("pnp: no phone of %q", o.Vendor)
	}
	if o.Model == "" {
		o.Model = v.model
	}
	ifi, own, err := pnpInterface(iface)
	if err != nil {
		return "", fmt.Errorf("pnp: %w", err)
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: own})
	if err != nil {
		return "", fmt.Errorf("pnp: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := ipv4.NewPacketConn(conn).SetMulticastInterface(ifi); err != nil {
		return "", fmt.Errorf("pnp: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, PnPTimeout)
	defer cancel()
	question := pnpSubscribe(o, v.sipAgent(o), conn.LocalAddr().String())
	return pnpAsk(ctx, conn, question)
}

func pnpInterface(name string) (*net.Interface, net.IP, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, nil, err
	}
	for _, ifi := range list {
		addrs, err := ifi.Addrs()
		if err != nil || (name == "" && ifi.Flags&net.FlagLoopback != 0) || (name != "" && ifi.Name != name) {
			continue
		}
		for _, a := range addrs {
			if p, ok := a.(*net.IPNet); ok && p.IP.To4() != nil {
				return &ifi, p.IP.To4(), nil
			}
		}
	}
	return nil, nil, fmt.Errorf("no interface %s with an IPv4 address", name)
}

// pnpSubscribe is the question of a phone at local.
func pnpSubscribe(o Options, agent, local string) []byte {
	uri := "sip:MAC" + o.MAC.Hex() + "@224.0.1.75"
	host, _, _ := strings.Cut(local, ":")
	var b bytes.Buffer
	fmt.Fprintf(&b, "SUBSCRIBE %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d\r\n", uri, local, rand.Uint64())
	fmt.Fprintf(&b, "From: <%s>;tag=%d\r\nTo: <%s>\r\nCall-ID: %d@%s\r\nCSeq: 1 SUBSCRIBE\r\n", uri, rand.Uint32(), uri, rand.Uint64(), host)
	fmt.Fprintf(&b, "Contact: <sip:MAC%s@%s>\r\nMax-Forwards: 70\r\nUser-Agent: %s\r\nExpires: 0\r\n", o.MAC.Hex(), local, agent)
	fmt.Fprintf(&b, "Event: ua-profile;profile-type=\"device\";vendor=%q;model=%q;version=\"1.0\"\r\n", string(o.Vendor), o.Model)
	b.WriteString("Accept: application/url\r\nContent-Length: 0\r\n\r\n")
	return b.Bytes()
}

// pnpAsk sends the question until there is a 200, and waits for the NOTIFY.
func pnpAsk(ctx context.Context, conn *net.UDPConn, question []byte) (string, error) {
	to := &net.UDPAddr{IP: net.IPv4(224, 0, 1, 75), Port: 5060}
	buf := make([]byte, 4096)
	accepted := false
	for next := time.Now(); ctx.Err() == nil; {
		if !accepted && !time.Now().Before(next) {
			if _, err := conn.WriteToUDP(question, to); err != nil {
				return "", fmt.Errorf("pnp: %w", err)
			}
			next = time.Now().Add(pnpResend)
		}
		_ = conn.SetReadDeadline(time.Now().Add(pnpResend))
		n, from, err := conn.ReadFromUDP(buf)
		if err != nil {
			continue // the deadline; a closed socket cannot be, it is ours
		}
		switch line, _, _ := bytes.Cut(buf[:n], []byte("\r\n")); {
		case bytes.HasPrefix(line, []byte("SIP/2.0 200 ")):
			accepted = true
		case bytes.HasPrefix(line, []byte("NOTIFY ")):
			url, answer, err := pnpNotified(buf[:n])
			if err != nil {
				return "", err
			}
			_, err = conn.WriteToUDP(answer, from)
			return url, err
		}
	}
	return "", errors.New("pnp: nobody answered")
}

// pnpNotified reads the NOTIFY and makes its 200.
func pnpNotified(b []byte) (url string, answer []byte, err error) {
	head, body, _ := bytes.Cut(b, []byte("\r\n\r\n"))
	var out bytes.Buffer
	out.WriteString("SIP/2.0 200 OK\r\n")
	kind := ""
	for line := range strings.SplitSeq(string(head), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		switch textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)) {
		case "Via", "From", "To", "Call-Id", "Cseq":
			out.WriteString(line + "\r\n")
		case "Content-Type":
			kind = strings.TrimSpace(value)
		}
	}
	out.WriteString("Content-Length: 0\r\n\r\n")
	if kind != "application/url" || len(body) == 0 {
		return "", nil, fmt.Errorf("pnp: the NOTIFY has no URL but %q", kind)
	}
	return string(body), out.Bytes(), nil
}
