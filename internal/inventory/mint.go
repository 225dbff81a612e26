package inventory

import (
	"crypto/rand"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

const (
	base36 = "0123456789abcdefghijklmnopqrstuvwxyz"
	base62 = base36 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	// plain has letters and digits only, safe in every vendor's files, in URIs and
	// on paper: no 0 and O, no 1, l and I.
	plain     = "23456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
	secretLen = 28 // 163 bits
)

// newID returns prefix and 20 characters of lower-case base32: 100 random bits.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()[:20]) }

func newSecret() phone.Secret { return phone.NewSecret(randomText(plain, secretLen)) }

// newUser returns a digest user such as "101_x7k2m9" for an extension number.
func newUser(number string) string {
	digits := strings.Map(func(r rune) rune {
		if r == '*' || r == '#' {
			return -1 // not safe in a URI or a file
		}
		return r
	}, number)
	if digits == "" {
		digits = "x"
	}
	return digits + "_" + randomText(base36, 6)
}

// randomText returns n characters of alphabet, each equally likely.
func randomText(alphabet string, n int) string {
	out := make([]byte, 0, n)
	buf := make([]byte, 2*n)
	limit := 256 - 256%len(alphabet) // above it a remainder would favour the first characters
	for {
		_, _ = rand.Read(buf) // never fails: crypto/rand
		for _, b := range buf {
			if int(b) >= limit {
				continue
			}
			if out = append(out, alphabet[int(b)%len(alphabet)]); len(out) == n {
				return string(out)
			}
		}
	}
}
