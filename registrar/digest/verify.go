package digest

import (
	"context"
	"errors"
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/wire"
)

// Verify checks the credentials of a request. An unknown user costs the same
// work and has the same outcome as a wrong password.
func (v *Verifier) Verify(ctx context.Context, r Request) Result {
	find := func(user string) (cred phone.Credential, known bool, err error) {
		cred, err = v.opts.Lookup(ctx, user)
		return cred, true, err
	}
	res, _ := v.verify(&r, find, func(id nonceID) bool { return v.takeOver(ctx, id) })
	return res
}

// VerifyCached is Verify that does not wait: false, and nothing is counted as used,
// when the user has to be looked up or another node to be asked first.
func (v *Verifier) VerifyCached(r Request) (Result, bool) {
	if v.opts.Cached == nil {
		return Result{}, false
	}
	return v.verify(&r, v.opts.Cached, nil)
}

func (v *Verifier) verify(r *Request, find lookup, ask func(nonceID) bool) (Result, bool) {
	c, outcome := v.pick(r.Authorization)
	if outcome != OK {
		return Result{Outcome: outcome}, true
	}
	res := Result{User: c.user()}
	if res.User == "" || !c.complete() || !v.meant(c.uri, r.URI) {
		res.Outcome = Malformed
		return res, true
	}
	user, cred, ok, err := v.who(c, res.User, find)
	res.User = user
	switch {
	case !ok:
		return Result{}, false
	case err != nil && !errors.Is(err, phone.ErrNotFound):
		res.Outcome = Unavailable
		return res, true
	}
	known := err == nil && !cred.Secret.IsZero()
	if known {
		res.DeviceID, res.Known = cred.DeviceID, true
	}
	right, old := v.proved(c, cred, known, r.Method)
	if !right {
		res.Outcome = Denied
		return res, true
	}
	// RFC 7616 section 3.3: stale only when the digest was right.
	switch fresh, decided := v.fresh(c, r.RetryKey, ask); {
	case !decided:
		return Result{}, false
	case !fresh:
		res.Outcome = Stale
		return res, true
	}
	res.Outcome, res.Credential, res.Old = OK, cred, old
	if !old && !cred.Old.IsZero() && v.opts.Proved != nil {
		v.opts.Proved(res.User)
	}
	return res, true
}

// proved reports whether the password is right, and whether it is the old one, which is
// good during a rotation. Nobody's password is right who is not known.
func (v *Verifier) proved(c *credentials, cred phone.Credential, known bool, method string) (right, old bool) {
	if right = v.matches(c, cred, known, method); right || !known || cred.Old.IsZero() {
		return right && known, false
	}
	old = c.proves(c.alg.ha1(c.username, v.opts.Realm, cred.Old.Reveal()), method)
	return old, old
}

// lookup is Options.Lookup or Options.Cached.
type lookup func(user string) (cred phone.Credential, known bool, err error)

// who looks up the digest user that the credentials name: "user@domain" is the user,
// but a system that was migrated may have one of just that name. The likely one comes
// first; when there is none, the user without a domain is who it claims to be.
func (v *Verifier) who(c *credentials, bare string, find lookup) (user string, cred phone.Credential, known bool, err error) {
	first, second := bare, c.username[len(bare):] // with the '@'
	if second != "" {
		domain := second[1:]
		second = strings.Clone(c.username)
		if domain != "" && !strings.EqualFold(domain, v.opts.Realm) && (v.opts.Local == nil || !v.opts.Local(domain)) {
			first, second = second, first
		}
	}
	cred, known, err = find(first)
	if second == "" || !known || !errors.Is(err, phone.ErrNotFound) {
		return first, cred, known, err
	}
	if cred, known, err = find(second); errors.Is(err, phone.ErrNotFound) {
		return bare, cred, known, err
	}
	return second, cred, known, err
}

// meant reports whether the credentials are for the request (RFC 3261 section
// 22.4 item 5: the two URIs need not be the same text).
func (v *Verifier) meant(uri, requestURI string) bool {
	if wire.SameResource(uri, requestURI) {
		return true
	}
	a, okA := wire.ParseURI(uri)
	b, okB := wire.ParseURI(requestURI)
	if v.opts.Local == nil || !okA || !okB || a.User != "" && wire.Unescape(a.User) != wire.Unescape(b.User) {
		return false
	}
	return v.opts.Local(a.Host) && v.opts.Local(b.Host)
}

// pick returns the credentials for our realm, in an algorithm that we offer.
func (v *Verifier) pick(headers []string) (*credentials, Outcome) {
	outcome := Missing
	for _, h := range headers {
		if !isDigest(h) {
			continue // RFC 4475 regaut01: an unknown scheme is no credentials
		}
		c, ok := parseCredentials(h)
		if !ok {
			outcome = Malformed
			continue
		}
		if c.realm == v.opts.Realm && c.known && slices.Contains(v.offer, c.alg) {
			return c, OK
		}
	}
	return nil, outcome
}

// matches compares the response with the one our secret gives, in constant time.
func (v *Verifier) matches(c *credentials, cred phone.Credential, known bool, method string) bool {
	secret := v.dummy[c.alg]
	if known {
		secret = v.hashes.get(c, v.opts.Realm, cred.Secret)
	}
	right := c.proves(secret, method)
	if right && known {
		v.hashes.put(c, cred.Secret, secret)
	}
	return right
}

// fresh reports whether the nonce is ours, young enough and not used before for
// another request, and records the use. Without ask it is not decided about the
// nonce of another node.
func (v *Verifier) fresh(c *credentials, retryKey string, ask func(nonceID) bool) (fresh, decided bool) {
	now := v.opts.Now()
	id, issued, ok := v.nonces.parse(c.nonce)
	if !ok || now.Sub(issued) > v.opts.Lifetime || issued.Sub(now) > maxSkew {
		return false, true
	}
	if id.maker() != v.nonces.maker && !v.used.has(id) {
		switch {
		case v.opts.TakeOver == nil:
			return false, true
		case ask == nil:
			return false, false
		case !ask(id):
			return false, true
		}
	}
	return v.used.admit(use{nonce: id, issued: issued, count: c.count, retry: c.fingerprint(v.used.seed, retryKey)}, now), true
}
