package digest

import (
	"crypto/md5" //nolint:gosec // RFC 3261 section 22.4 requires MD5.
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"pbx.dev/dialtone/internal/phone"
)

// algorithm is an index into algorithms.
type algorithm int

const (
	algMD5 algorithm = iota
	algSHA256
	algSHA512
)

// algorithms are the tokens of RFC 7616 that we know.
var algorithms = [...]string{algMD5: "MD5", algSHA256: "SHA-256", algSHA512: "SHA-512-256"}

// usual are the algorithms that are offered unless Options say otherwise.
var usual = []algorithm{algMD5, algSHA256}

// parseAlgorithms reads Options.Algorithms.
func parseAlgorithms(names []string) ([]algorithm, error) {
	if len(names) == 0 {
		return usual, nil
	}
	var offer []algorithm
	for _, name := range names {
		i := slices.IndexFunc(algorithms[:], func(token string) bool { return strings.EqualFold(token, name) })
		if i < 0 || slices.Contains(offer, algorithm(i)) {
			return nil, phone.Invalid("Algorithms", fmt.Sprintf("has %q, which is unknown or there twice", name))
		}
		offer = append(offer, algorithm(i))
	}
	return offer, nil
}

// ha1 is H(A1) in lower-case hexadecimal; MD5 fills the first half.
type ha1 [sha256.Size * 2]byte

// ha1 computes H(username:realm:password).
func (a algorithm) ha1(user, realm, password string) ha1 {
	var buf [256]byte
	text := append(buf[:0], user...)
	text = append(text, ':')
	text = append(text, realm...)
	text = append(text, ':')
	text = append(text, password...)
	return a.sum(text)
}

// sum returns the hexadecimal hash of text.
func (a algorithm) sum(text []byte) (out ha1) {
	switch a {
	case algSHA256:
		sum := sha256.Sum256(text)
		hex.Encode(out[:], sum[:])
	case algSHA512:
		sum := sha512.Sum512_256(text)
		hex.Encode(out[:], sum[:])
	default:
		sum := md5.Sum(text) //nolint:gosec // as above
		hex.Encode(out[:], sum[:])
	}
	return out
}

// size is the length of the hexadecimal hash.
func (a algorithm) size() int {
	if a == algMD5 {
		return md5.Size * 2
	}
	return sha256.Size * 2
}

// proves reports in constant time whether the response was made with secret
// (RFC 7616 section 3.4.1, and RFC 2069 when there is no qop).
func (c *credentials) proves(secret ha1, method string) bool {
	var buf [512]byte
	n := c.alg.size()
	text := append(buf[:0], method...)
	text = append(text, ':')
	text = append(text, c.uri...)
	ha2 := c.alg.sum(text)

	text = append(buf[:0], secret[:n]...)
	text = append(text, ':')
	text = append(text, c.nonce...)
	if c.qop != "" {
		for _, part := range [...]string{c.nc, c.cnonce, c.qop} {
			text = append(text, ':')
			text = append(text, part...)
		}
	}
	text = append(text, ':')
	text = append(text, ha2[:n]...)
	want := c.alg.sum(text)

	got := append(buf[:0], c.response...)
	for i, b := range got {
		if b >= 'A' && b <= 'F' {
			got[i] = b | 0x20
		}
	}
	return subtle.ConstantTimeCompare(got, want[:n]) == 1
}

// hashCacheSize bounds the cache; beyond it everything is forgotten at once.
const hashCacheSize = 32 << 10

// hashCache keeps H(A1) of users that proved their password, so that a refresh
// costs two hashes instead of three. It holds a fingerprint of the secret, not the
// secret: another password is another entry.
type hashCache struct {
	seed maphash.Seed

	mu     sync.RWMutex
	hashes map[hashKey]hashEntry
}

type hashKey struct {
	username string // as in the credentials, since it is hashed
	alg      algorithm
}

type hashEntry struct {
	secret uint64
	ha1    ha1
}

func newHashCache() *hashCache {
	return &hashCache{seed: maphash.MakeSeed(), hashes: make(map[hashKey]hashEntry)}
}

// get returns H(A1), from the cache if it is there.
func (h *hashCache) get(c *credentials, realm string, secret phone.Secret) ha1 {
	h.mu.RLock()
	e, ok := h.hashes[hashKey{c.username, c.alg}]
	h.mu.RUnlock()
	if ok && e.secret == maphash.String(h.seed, secret.Reveal()) {
		return e.ha1
	}
	return c.alg.ha1(c.username, realm, secret.Reveal())
}

// put remembers H(A1) of a user that proved the secret.
func (h *hashCache) put(c *credentials, secret phone.Secret, value ha1) {
	e := hashEntry{maphash.String(h.seed, secret.Reveal()), value}
	key := hashKey{c.username, c.alg}
	h.mu.RLock()
	old, ok := h.hashes[key]
	h.mu.RUnlock()
	if ok && old == e {
		return
	}
	key.username = strings.Clone(key.username)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.hashes) >= hashCacheSize {
		clear(h.hashes)
	}
	h.hashes[key] = e
}
