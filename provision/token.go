package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"pbx.dev/dialtone/internal/phone"
)

// Tokens is what Service needs to know phones by the secret in their path.
type Tokens interface {
	// DeviceByToken returns the device that has the token with this hash, good or
	// not any more, or phone.ErrNotFound.
	DeviceByToken(ctx context.Context, hash [32]byte) (phone.Device, error)
	// TokenUsed notes the first use of a token of d; that of the steady one retires
	// the enrollment token.
	TokenUsed(ctx context.Context, d phone.Device, stage phone.TokenStage) error
}

// claims collects what a request proves. The phone of a token is the one that the
// event is about.
func (s *Service) claims(ctx context.Context, f *fetch, r Request, t Target) (claims, error) {
	c := claims{credentials: r.AuthMAC, certificate: r.ClientMAC}
	f.token = cmp.Or(t.Token, r.Token)
	if f.token == "" {
		return c, nil
	}
	d, err := s.holder(ctx, f.token)
	if err == nil {
		c.token = d.MAC
		f.event.DeviceID, f.event.MAC = d.ID, d.MAC
	}
	return c, err
}

func tokenFailure(err error) string {
	if errors.Is(err, errDenied) {
		return "the token is not valid"
	}
	return "the inventory did not answer"
}

// holder returns the device whose token a request has; errDenied for a token that
// is none. What has not the form of a token is not looked up.
func (s *Service) holder(ctx context.Context, text string) (phone.Device, error) {
	token, ok := phone.CutToken(text)
	if !ok || s.opts.Tokens == nil {
		return phone.Device{}, errDenied
	}
	hash := phone.HashToken(token)
	d, err := s.opts.Tokens.DeviceByToken(ctx, hash)
	if errors.Is(err, phone.ErrNotFound) {
		return phone.Device{}, errDenied
	}
	if err != nil {
		return phone.Device{}, fmt.Errorf("find the phone of a token: %w", err)
	}
	stage := d.Tokens.Stage(hash, s.now())
	if stage == phone.NoToken {
		return phone.Device{}, errDenied
	}
	if stage == phone.SteadyToken && d.Tokens.SteadyUsed.IsZero() || stage == phone.EnrollToken && d.Tokens.EnrollUsed.IsZero() {
		if err := s.opts.Tokens.TokenUsed(ctx, d, stage); err != nil {
			s.log.ErrorContext(ctx, "the use of a token was not noted", "phone", d.MAC, "error", err)
		}
	}
	return d, nil
}

// TokenURL is where the phone with a token fetches its files; empty when this
// server tells phones no URL.
func TokenURL(base string, token phone.Secret) phone.Secret {
	if base == "" {
		return phone.Secret{}
	}
	if base[len(base)-1] != '/' {
		base += "/"
	}
	return phone.NewSecret(base + "p/" + token.Reveal() + "/")
}
