// Package digest is the server side of SIP digest authentication (RFC 3261
// section 22, RFC 7616, RFC 8760) for the registrar and the proxy: challenges
// with stateless nonces that any node holding the key can check, and the check of
// credentials with replay refused. It knows no SIP messages and opens no sockets.
package digest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/wire"
)

// Options configure a Verifier.
type Options struct {
	// Realm is offered in challenges and required in credentials, case-sensitive.
	Realm string
	// Key makes the nonces. Nodes that share it accept each other's; at least 16 bytes.
	Key []byte
	// Lifetime of a nonce; 0 is one hour.
	Lifetime time.Duration
	// Maker names this run of this node among those that share Key; "" is a name by
	// chance.
	Maker string
	// TakeOver asks the maker of a nonce to give it up (GiveUp there) and returns the
	// highest count that was used with it; false when it was given up before, is
	// unknown, or nobody answers. From then on the nonce is good on this node only.
	// nil: the nonces of others are stale.
	TakeOver func(ctx context.Context, home Maker, nonce []byte) (highest uint32, ok bool)
	// Lookup returns the credential of a digest user, phone.ErrNotFound for a
	// user that does not exist. Any other error makes the outcome Unavailable.
	Lookup func(ctx context.Context, user string) (phone.Credential, error)
	// Cached is Lookup that does not wait: known is false when the answer is not in
	// memory, where Lookup then brings it. nil knows nothing.
	Cached func(user string) (cred phone.Credential, known bool, err error)
	// Proved is told of a user that has proved its new secret while the old one is
	// still good; it must not block. nil is not told.
	Proved func(user string)
	// Local reports whether a host means this server. The "uri" of credentials may
	// then name the server otherwise than the Request-URI does, and leave out the
	// user: sipp and some phones write the address that they send to. nil knows
	// only equal URIs.
	Local func(host string) bool
	Now   func() time.Time // nil is time.Now
}

// Request is what Verify needs of a SIP request.
type Request struct {
	Method        string
	URI           string   // the Request-URI as received
	Authorization []string // values of Authorization, or of Proxy-Authorization
	// RetryKey is the same for a retransmission and differs for every other
	// request: Call-ID and CSeq number.
	RetryKey string
}

// Outcome says what Verify found. The zero value never admits anybody.
type Outcome int

// The outcomes.
const (
	Missing     Outcome = iota // no credentials for our realm and algorithms: challenge
	Stale                      // right password, but the nonce is too old, not ours or used: challenge with stale=true
	Denied                     // wrong password or unknown user: challenge
	Malformed                  // credentials that cannot be read or are for another URI: 400
	Unavailable                // the directory did not answer: 503
	OK
)

// Result is the answer of Verify.
type Result struct {
	Outcome    Outcome
	Credential phone.Credential // whose request it is; set only with OK
	Old        bool             // proved with Credential.Old; set only with OK
	// User and DeviceID are whom the request claims to be from, for logs and
	// timelines. They prove nothing.
	User     string
	DeviceID string
}

// Verifier makes challenges and checks credentials. It is safe for concurrent use.
type Verifier struct {
	opts   Options
	nonces *nonces
	used   *record
	hashes *hashCache
	dummy  [2]ha1 // by algorithm, for users that do not exist
	prefix string // of every challenge, up to the nonce
}

// New returns a Verifier. It fails with phone.ErrInvalid on unusable options.
func New(opts Options) (*Verifier, error) {
	switch {
	case opts.Realm == "":
		return nil, phone.Invalid("Realm", "is empty")
	case len(opts.Key) < 16:
		return nil, phone.Invalid("Key", "is shorter than 16 bytes")
	case opts.Lookup == nil:
		return nil, phone.Invalid("Lookup", "is missing")
	case opts.Lifetime < 0:
		return nil, phone.Invalid("Lifetime", "is negative")
	}
	if opts.Lifetime == 0 {
		opts.Lifetime = time.Hour
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	opts.Now = steady(opts.Now)
	// The realm is part of the key, so a nonce of one realm is nothing in another.
	mac := hmac.New(sha256.New, opts.Key)
	mac.Write([]byte("dialtone digest nonce\x00" + opts.Realm))
	v := &Verifier{
		opts:   opts,
		nonces: newNonces(mac.Sum(nil), makerOf(opts.Maker)),
		used:   newRecord(opts.Lifetime, opts.Now()),
		hashes: newHashCache(),
		prefix: `Digest realm="` + quote(opts.Realm) + `", nonce="`,
	}
	for alg := range v.dummy {
		v.dummy[alg] = algorithm(alg).ha1("", opts.Realm, string(opts.Key))
	}
	return v, nil
}

// Challenges returns the values of WWW-Authenticate (or Proxy-Authenticate), MD5
// first since some clients read only the first, with one fresh nonce; fewer for
// clients that cannot take them.
func (v *Verifier) Challenges(stale bool, userAgent string) []string {
	nonce := v.nonces.append(nil, v.opts.Now())
	out := make([]string, 0, len(algorithms))
	for alg := range offered(userAgent) {
		out = append(out, string(v.appendChallenge(nil, algorithm(alg), nonce, stale)))
	}
	return out
}

// AppendChallenges appends the same challenges as whole header lines with the
// header name given, each ended by CRLF, fewer for clients that cannot take them.
func (v *Verifier) AppendChallenges(dst []byte, header string, stale bool, userAgent string) []byte {
	var buf [nonceLen]byte
	nonce := v.nonces.append(buf[:0], v.opts.Now())
	for alg := range offered(userAgent) {
		dst = append(dst, header...)
		dst = append(dst, ": "...)
		dst = v.appendChallenge(dst, algorithm(alg), nonce, stale)
		dst = append(dst, '\r', '\n')
	}
	return dst
}

func (v *Verifier) appendChallenge(dst []byte, alg algorithm, nonce []byte, stale bool) []byte {
	dst = append(dst, v.prefix...)
	dst = append(dst, nonce...)
	dst = append(dst, `", algorithm=`...)
	dst = append(dst, algorithms[alg]...)
	dst = append(dst, `, qop="auth"`...)
	if stale {
		dst = append(dst, `, stale=true`...)
	}
	return dst
}

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
	if !ok {
		return Result{}, false
	}
	res.User = user
	if err != nil && !errors.Is(err, phone.ErrNotFound) {
		res.Outcome = Unavailable
		return res, true
	}
	known := err == nil && !cred.Secret.IsZero()
	if known {
		res.DeviceID = cred.DeviceID
	}
	right := v.matches(c, cred, known, r.Method)
	if !right && known && !cred.Old.IsZero() { // within a rotation only
		res.Old = c.proves(c.alg.ha1(c.username, v.opts.Realm, cred.Old.Reveal()), r.Method)
	}
	if !known || !right && !res.Old {
		res.Outcome = Denied
		return res, true
	}
	// RFC 7616 section 3.3: stale only when the digest was right.
	fresh, decided := v.fresh(c, r.RetryKey, ask)
	if !decided {
		return Result{}, false
	}
	if !fresh {
		res.Outcome, res.Old = Stale, false
		return res, true
	}
	res.Outcome, res.Credential = OK, cred
	if !res.Old && !cred.Old.IsZero() && v.opts.Proved != nil {
		v.opts.Proved(res.User)
	}
	return res, true
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
		if c.realm == v.opts.Realm && c.known {
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
