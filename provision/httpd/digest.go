package httpd

import (
	"crypto/md5" //nolint:gosec // what phones know (RFC 7616 allows it)
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// digest is what an Authorization header of the scheme Digest says (RFC 7616
// section 3.4).
type digest struct {
	username, realm, nonce, uri, response, algorithm, qop, cnonce string
	ncText                                                        string
	nc                                                            uint32 // 0: without qop (RFC 2069)
}

// parseDigest reads the parameters of the header. It reports false for those that
// no client with credentials of ours sends.
func parseDigest(s string) (digest, bool) {
	var d digest
	fields := map[string]*string{
		"username": &d.username, "realm": &d.realm, "nonce": &d.nonce, "uri": &d.uri, "response": &d.response,
		"algorithm": &d.algorithm, "qop": &d.qop, "cnonce": &d.cnonce, "nc": &d.ncText,
	}
	for s = strings.TrimSpace(s); s != ""; {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return d, false
		}
		var value string
		if value, s, ok = parameter(strings.TrimSpace(rest)); !ok {
			return d, false
		}
		if to := fields[strings.ToLower(strings.TrimSpace(name))]; to != nil {
			if *to != "" {
				return d, false // twice: which one another reads is anybody's guess
			}
			*to = value
		}
	}
	if d.algorithm == "" {
		d.algorithm = "MD5"
	}
	if d.qop != "" {
		n, err := strconv.ParseUint(d.ncText, 16, 32)
		if err != nil || n == 0 || len(d.ncText) != 8 || !strings.EqualFold(d.qop, "auth") || d.cnonce == "" {
			return d, false
		}
		d.nc = uint32(n)
	}
	d.response = strings.ToLower(d.response)
	known := strings.EqualFold(d.algorithm, "MD5") || strings.EqualFold(d.algorithm, "SHA-256")
	return d, known && d.username != "" && d.nonce != "" && d.uri != "" && d.response != ""
}

// parameter reads a token or a quoted string and the comma behind it.
func parameter(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ",")
		return strings.TrimSpace(value), strings.TrimSpace(rest), true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		case '"':
			rest = strings.TrimSpace(s[i+1:])
			if rest != "" && rest[0] != ',' {
				return "", "", false
			}
			return b.String(), strings.TrimSpace(strings.TrimPrefix(rest, ",")), true
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

// answer is the response that the password gives (RFC 7616 section 3.4.1).
func (d digest) answer(method, password string) string {
	sum := sumMD5
	if strings.EqualFold(d.algorithm, "SHA-256") {
		sum = sumSHA256
	}
	a1, a2 := sum(d.username+":"+realm+":"+password), sum(method+":"+d.uri)
	if d.nc == 0 {
		return sum(a1 + ":" + d.nonce + ":" + a2)
	}
	return sum(a1 + ":" + d.nonce + ":" + d.ncText + ":" + d.cnonce + ":" + d.qop + ":" + a2)
}

func sumMD5(s string) string {
	b := md5.Sum([]byte(s)) //nolint:gosec // see above
	return hex.EncodeToString(b[:])
}

func sumSHA256(s string) string {
	b := sha256.Sum256([]byte(s))
	return hex.EncodeToString(b[:])
}
