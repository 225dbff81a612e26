package digest

import (
	"slices"
	"strings"
)

// md5Only begins the User-Agents of clients that give a request up when one of
// several challenges has an algorithm they do not know, where RFC 7616 section 3.7
// has them pick one they know. They are offered MD5 alone. Each entry says how it
// was seen.
var md5Only = []string{
	"baresip v0.", // the libre before SHA-256; not tried, same code as v1
	"baresip v1.", // Debian 12, baresip 1.0.0 with libre 2.0.1: "Function not implemented"
	"JsSIP ",      // 3.13.8: 'challenge with Digest algorithm different than "MD5"', it reads the last one only
	"SIP.js/",     // 0.21.2: the same
}

// Agent is the User-Agent to make challenges for, of a request that came over a
// transport. Pages put names of their own into User-Agent; the library behind a
// WebSocket is, as a rule, one of the two above, and another one knows MD5, too.
func Agent(transport, userAgent string) string {
	if transport == "ws" || transport == "wss" {
		return "JsSIP "
	}
	return userAgent
}

// offered returns the algorithms that a client is offered.
func (v *Verifier) offered(userAgent string) []algorithm {
	for _, prefix := range md5Only {
		if strings.HasPrefix(userAgent, prefix) && slices.Contains(v.offer, algMD5) {
			return usual[:1]
		}
	}
	return v.offer
}
