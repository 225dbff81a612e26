// Package digest is the server side of SIP digest authentication (RFC 3261
// section 22, RFC 7616, RFC 8760) for the registrar and the proxy: challenges
// with stateless nonces that any node holding the key can check, and the check of
// credentials with replay refused. It knows no SIP messages and opens no sockets.
package digest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"pbx.dev/dialtone/internal/phone"
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
	// Algorithms are offered in this order, of MD5, SHA-256 and SHA-512-256; others are
	// not taken. nil is MD5, SHA-256.
	Algorithms []string
	Now        func() time.Time // nil is time.Now
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
	Known    bool // there is such a user
}

// Verifier makes challenges and checks credentials. It is safe for concurrent use.
type Verifier struct {
	opts   Options
	nonces *nonces
	used   *record
	hashes *hashCache
	offer  []algorithm
	dummy  [len(algorithms)]ha1 // by algorithm, for users that do not exist
	prefix string               // of every challenge, up to the nonce
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
	offer, err := parseAlgorithms(opts.Algorithms)
	if err != nil {
		return nil, err
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
		offer:  offer,
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
