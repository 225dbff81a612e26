package simphone

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pin/tftp/v3"
)

// errAbsent is a file that the server does not have (or not for this phone).
var errAbsent = errors.New("absent")

const maxFile = 4 << 20

// fetch gets one file beside the provisioning URL, or at name when that is a URL.
func (p *Phone) fetch(ctx context.Context, name string) ([]byte, error) {
	u, err := p.base.Parse(strings.TrimSuffix(p.base.Path, "/") + "/" + name)
	if strings.Contains(name, "://") {
		u, err = url.Parse(name)
	}
	if err != nil {
		return nil, fmt.Errorf("file name %q: %w", name, err)
	}
	var body []byte
	var status string
	if u.Scheme == "tftp" {
		body, status, err = p.fetchTFTP(u)
	} else {
		body, status, err = p.fetchHTTP(ctx, u)
	}
	if err != nil && !errors.Is(err, errAbsent) {
		p.step("fetch", "%s failed: %v", u, err)
		return nil, fmt.Errorf("fetch %s: %w", u, err)
	}
	p.step("fetch", "%s %s, %d bytes", u, status, len(body))
	return body, err
}

func (p *Phone) fetchHTTP(ctx context.Context, u *url.URL) ([]byte, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("User-Agent", p.vendor.httpAgent(p.opts))
	config := &tls.Config{RootCAs: p.opts.Trust, MinVersion: tls.VersionTLS12}
	if p.opts.Certificate != nil {
		config.Certificates = []tls.Certificate{*p.opts.Certificate}
	}
	transport := &http.Transport{
		DisableKeepAlives: true, // as phones do
		TLSClientConfig:   config,
		DialContext:       p.dialer("tcp").DialContext,
	}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // old phones do not follow them
	}}
	res, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxFile))
	if err != nil {
		return nil, "", err
	}
	if res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusTooManyRequests {
		return nil, "", &busyError{what: "the server says " + res.Status, after: retryAfter(res.Header.Get("Retry-After"))}
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Sprint(res.StatusCode), errAbsent
	}
	return body, "200", nil
}

func (p *Phone) fetchTFTP(u *url.URL) ([]byte, string, error) {
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "69")
	}
	c, err := tftp.NewClient(host)
	if err != nil {
		return nil, "", err
	}
	c.SetBlockSize(1428)
	c.SetTimeout(2 * time.Second)
	from, err := c.Receive(strings.TrimPrefix(u.Path, "/"), "octet")
	if err != nil {
		if strings.Contains(err.Error(), "code: 1") {
			return nil, "not found", errAbsent
		}
		return nil, "", err
	}
	var body bytes.Buffer
	if _, err := from.WriteTo(&body); err != nil {
		return nil, "", err
	}
	return body.Bytes(), "received", nil
}

// optional fetches a file that the phone can do without.
func (p *Phone) optional(ctx context.Context, name string) ([]byte, error) {
	body, err := p.fetch(ctx, name)
	if errors.Is(err, errAbsent) {
		return nil, nil
	}
	return body, err
}

// firstOf fetches the first of names that is there.
func (p *Phone) firstOf(ctx context.Context, names ...string) ([]byte, error) {
	for _, name := range names {
		body, err := p.fetch(ctx, name)
		if !errors.Is(err, errAbsent) {
			return body, err
		}
	}
	return nil, fmt.Errorf("the server has none of %s", strings.Join(names, ", "))
}
