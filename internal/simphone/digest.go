package simphone

import (
	"cmp"
	"crypto/md5" //nolint:gosec // what phones have to speak
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// challenge is a digest challenge (RFC 7616) and the count of its uses.
type challenge struct {
	realm, nonce, algorithm, qop, opaque string

	stale bool
	used  int // nc of the last answer
}

// parseChallenge reads a WWW-Authenticate value; ok is false for a scheme or an
// algorithm that the phone does not know.
func parseChallenge(value string) (*challenge, bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return nil, false
	}
	args := map[string]string{}
	for rest != "" {
		var key, val string
		key, rest, _ = strings.Cut(rest, "=")
		if strings.HasPrefix(rest, `"`) {
			val, rest, _ = strings.Cut(rest[1:], `"`)
			_, rest, _ = strings.Cut(rest, ",")
		} else {
			val, rest, _ = strings.Cut(rest, ",")
		}
		args[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(val)
	}
	c := &challenge{
		realm: args["realm"], nonce: args["nonce"], algorithm: cmp.Or(args["algorithm"], "MD5"), opaque: args["opaque"],
		stale: strings.EqualFold(args["stale"], "true"),
	}
	for q := range strings.SplitSeq(args["qop"], ",") {
		if strings.TrimSpace(q) == "auth" {
			c.qop = "auth"
		}
	}
	return c, c.nonce != "" && (c.algorithm == "MD5" || c.algorithm == "SHA-256")
}

func (c *challenge) hash(s string) string {
	if c.algorithm == "SHA-256" {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	sum := md5.Sum([]byte(s)) //nolint:gosec // what phones have to speak
	return hex.EncodeToString(sum[:])
}

// answer is the Authorization value for one request; each call counts nc up.
func (c *challenge) answer(method, uri, user, password string) string {
	c.used++
	head := fmt.Sprintf(`Digest username=%s, realm=%s, nonce="%s", uri="%s", algorithm=%s`,
		quote(user), quote(c.realm), c.nonce, uri, c.algorithm)
	if c.opaque != "" {
		head += fmt.Sprintf(`, opaque="%s"`, c.opaque)
	}
	nc, cnonce := fmt.Sprintf("%08x", c.used), rand.Text()[:16]
	response := c.response(method, uri, user, password, nc, cnonce)
	if c.qop == "" {
		return head + fmt.Sprintf(`, response="%s"`, response)
	}
	return head + fmt.Sprintf(`, qop=auth, nc=%s, cnonce="%s", response="%s"`, nc, cnonce, response)
}

// response is RFC 7616 3.4.1, without qop that of RFC 2069.
func (c *challenge) response(method, uri, user, password, nc, cnonce string) string {
	ha1 := c.hash(user + ":" + c.realm + ":" + password)
	ha2 := c.hash(method + ":" + uri)
	if c.qop == "" {
		return c.hash(ha1 + ":" + c.nonce + ":" + ha2)
	}
	return c.hash(strings.Join([]string{ha1, c.nonce, nc, cnonce, "auth", ha2}, ":"))
}
