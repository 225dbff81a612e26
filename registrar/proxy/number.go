package proxy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/internal/phone"
)

// resolve turns a dialled user into the number of an extension. One that nobody has may
// be a telephone number in full (RFC 3261 section 19.1.6).
func (p *Proxy) resolve(ctx context.Context, user string) (string, error) {
	number, err := p.extensionOf(ctx, user)
	if plain := subscriber(user); plain != user && errors.Is(err, phone.ErrNotFound) {
		return p.extensionOf(ctx, plain)
	}
	return number, err
}

// subscriber is the number in a telephone-subscriber (RFC 3966), without its parameters
// and what only separates digits for the eye.
func subscriber(user string) string {
	number, _, _ := strings.Cut(user, ";")
	return strings.NewReplacer("-", "", ".", "", "(", "", ")", "").Replace(number)
}

// dialled is where a request goes: a tel URI is a number here, as if it had been written
// with our domain (RFC 3261 section 19.1.6).
func (p *Proxy) dialled(uri *sip.Uri) *sip.Uri {
	if uri.Scheme != "tel" {
		return uri.Clone()
	}
	return &sip.Uri{Scheme: "sip", User: subscriber(uri.Raw()), Host: p.opt.Domain}
}

func (p *Proxy) extensionOf(ctx context.Context, user string) (string, error) {
	if user == "" {
		return "", refuse(sip.StatusNotFound)
	}
	ext, err := p.opt.Directory.Extension(ctx, user)
	if err == nil {
		return ext.Number, nil
	}
	if !errors.Is(err, phone.ErrNotFound) && !errors.Is(err, phone.ErrInvalid) {
		return "", fmt.Errorf("look up extension: %w", err)
	}
	cred, err := p.opt.Directory.Credential(ctx, user)
	if err != nil {
		return "", fmt.Errorf("look up digest user: %w", err)
	}
	return cred.Extension, nil
}
