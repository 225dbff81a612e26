package digest

import (
	"hash/maphash"
	"strconv"
	"strings"

	"pbx.dev/dialtone/registrar/wire"
)

// maxValue bounds each value of the credentials, in bytes.
const maxValue = 512

// credentials are the fields of one Authorization header.
type credentials struct {
	username, realm, nonce, uri, response string
	cnonce, qop, nc, algorithmToken       string

	alg   algorithm
	known bool   // algorithm is one that we know
	count uint32 // nc, or 1 without qop: such a nonce serves one request
}

// isDigest reports whether the scheme of an Authorization value is Digest.
func isDigest(s string) bool {
	scheme, _, ok := strings.Cut(strings.TrimLeft(s, " \t"), " ")
	return ok && strings.EqualFold(scheme, "Digest")
}

// parseCredentials reads `Digest name=value, name="value", ...`. It reports false
// for what is not such a list, for repeated fields and for values out of bounds.
func parseCredentials(s string) (*credentials, bool) {
	_, rest, _ := strings.Cut(strings.TrimLeft(s, " \t"), " ")
	c := new(credentials)
	for rest != "" {
		var item string
		item, rest = wire.CutList(rest)
		if item == "" {
			continue
		}
		name, value, ok := strings.Cut(item, "=")
		if !ok || !c.set(strings.TrimRight(name, " \t"), strings.TrimLeft(value, " \t")) {
			return nil, false
		}
	}
	return c, c.check()
}

// set stores one field; unknown ones are ignored (RFC 7616 section 3.4).
func (c *credentials) set(name, value string) bool {
	field := c.field(name)
	if field == nil {
		return true
	}
	if len(value) > maxValue || *field != "" || strings.HasPrefix(value, `"`) != strings.HasSuffix(value, `"`) || value == `"` {
		return false
	}
	*field = wire.Unquote(value)
	return true
}

// field returns where the field with that name, in any case, is kept.
func (c *credentials) field(name string) *string {
	var at *string
	var want string
	switch len(name) {
	case 2:
		at, want = &c.nc, "nc"
	case 3:
		if at, want = &c.uri, "uri"; name[0]|0x20 == 'q' {
			at, want = &c.qop, "qop"
		}
	case 5:
		if at, want = &c.nonce, "nonce"; name[0]|0x20 == 'r' {
			at, want = &c.realm, "realm"
		}
	case 6:
		at, want = &c.cnonce, "cnonce"
	case 8:
		if at, want = &c.username, "username"; name[0]|0x20 == 'r' {
			at, want = &c.response, "response"
		}
	case 9:
		at, want = &c.algorithmToken, "algorithm"
	}
	if at == nil || name != want && !strings.EqualFold(name, want) {
		return nil
	}
	return at
}

// check interprets the algorithm and the nonce count.
func (c *credentials) check() bool {
	c.alg, c.known = algMD5, c.algorithmToken == ""
	for alg, token := range algorithms {
		if strings.EqualFold(token, c.algorithmToken) {
			c.alg, c.known = algorithm(alg), true
		}
	}
	if c.qop == "" {
		c.count = 1
		return true
	}
	n, err := strconv.ParseUint(c.nc, 16, 32)
	c.count = uint32(n)
	return err == nil && len(c.nc) == 8 && n > 0 && c.cnonce != "" && strings.EqualFold(c.qop, "auth")
}

// complete reports whether the other fields that a response needs are there.
func (c *credentials) complete() bool {
	return c.nonce != "" && c.uri != "" && c.response != ""
}

// user is the digest user to look up: phones and softphones write "user" or
// "user@domain". The text is a copy.
func (c *credentials) user() string {
	name := c.username
	if at := strings.LastIndexByte(name, '@'); at >= 0 {
		name = name[:at]
	}
	return strings.Clone(name)
}

// fingerprint is the same for a retransmission and for nothing else.
func (c *credentials) fingerprint(seed maphash.Seed, retryKey string) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, part := range [...]string{c.nc, c.cnonce, c.response, retryKey} {
		_, _ = h.WriteString(part) // never fails (maphash)
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// quote escapes text for a quoted string.
func quote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}
