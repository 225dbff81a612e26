package digest

import "strings"

// md5Only begins the User-Agents of clients that give a request up when one of
// several challenges has an algorithm they do not know, where RFC 7616 section 3.7
// has them pick one they know. They are offered MD5 alone. Each entry says how it
// was seen.
var md5Only = []string{
	"baresip v0.", // the libre before SHA-256; not tried, same code as v1
	"baresip v1.", // Debian 12, baresip 1.0.0 with libre 2.0.1: "Function not implemented"
}

// offered returns how many of the algorithms, which are in the order of offering,
// a client is offered.
func offered(userAgent string) int {
	for _, prefix := range md5Only {
		if strings.HasPrefix(userAgent, prefix) {
			return 1
		}
	}
	return len(algorithms)
}
