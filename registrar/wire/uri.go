package wire

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// URI is the parts of a SIP or SIPS URI (RFC 3261 section 19.1), each as it was
// written: nothing is unescaped and no letter changes case.
type URI struct {
	Scheme   string // "sip" or "sips" in the writer's case
	User     string // without the password; empty when absent
	Password string
	Host     string // an IPv6 reference keeps its brackets
	Port     uint16 // 0 when absent
	Params   string // uri-parameters with the leading ';', or empty
	Headers  string // what follows '?', or empty
}

// ParseURI splits a SIP or SIPS URI. It reports false for any other scheme and
// for what RFC 3261 does not allow in user, host or port.
func ParseURI(s string) (URI, bool) {
	var u URI
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || !strings.EqualFold(scheme, "sip") && !strings.EqualFold(scheme, "sips") {
		return u, false
	}
	u.Scheme = scheme
	// '@' has to be escaped everywhere but before the host (RFC 3261 section 25.1).
	if at := strings.IndexByte(rest, '@'); at >= 0 {
		u.User, u.Password, _ = strings.Cut(rest[:at], ":")
		rest = rest[at+1:]
		if u.User == "" || !userChars(u.User) || !userChars(u.Password) {
			return u, false
		}
	}
	rest, u.Headers, _ = strings.Cut(rest, "?")
	if semi := strings.IndexByte(rest, ';'); semi >= 0 {
		rest, u.Params = rest[:semi], rest[semi:]
	}
	if !paramChars(u.Params) || !paramChars(u.Headers) {
		return u, false
	}
	u.Host, u.Port, ok = splitHostPort(rest)
	return u, ok
}

// Secure reports whether the scheme is "sips".
func (u URI) Secure() bool { return len(u.Scheme) == 4 }

// SameResource reports whether two request URIs name the same resource for the
// "uri" of digest credentials: scheme, user and host agree, and so does the port
// when both give one. Parameters are not looked at, since phones leave out the
// transport and the port that their Request-URI has.
func SameResource(a, b string) bool {
	if a == b {
		return true
	}
	ua, okA := ParseURI(a)
	ub, okB := ParseURI(b)
	if !okA || !okB || ua.Secure() != ub.Secure() {
		return false
	}
	if ua.Port != ub.Port && ua.Port != 0 && ub.Port != 0 {
		return false
	}
	return Unescape(ua.User) == Unescape(ub.User) && strings.EqualFold(ua.Host, ub.Host)
}

// matchParams are the parameters whose absence differs from every value
// (RFC 3261 section 19.1.4).
var matchParams = [...]string{"user", "ttl", "method", "maddr", "transport"}

// AppendKey appends a text that is equal for two URIs exactly when RFC 3261
// section 19.1.4 calls them equal, save that parameters outside matchParams never
// count: the RFC's own comparison is not transitive there and has no such text.
func (u URI) AppendKey(dst []byte) []byte {
	dst = appendLower(dst, u.Scheme)
	dst = append(dst, 0)
	dst = append(dst, Unescape(u.User)...)
	dst = append(dst, 0)
	dst = append(dst, Unescape(u.Password)...)
	dst = append(dst, 0)
	dst = append(dst, HostKey(u.Host)...)
	dst = append(dst, 0)
	if u.Port != 0 {
		dst = strconv.AppendUint(dst, uint64(u.Port), 10)
	}
	for _, name := range matchParams {
		if v, ok := Param(u.Params, name); ok {
			dst = append(dst, 0)
			dst = append(dst, name...)
			dst = append(dst, '=')
			dst = appendLower(dst, Unescape(v))
		}
	}
	if u.Headers == "" {
		return dst
	}
	headers := strings.Split(strings.ToLower(Unescape(u.Headers)), "&")
	slices.Sort(headers)
	dst = append(dst, 0, '?')
	return append(dst, strings.Join(headers, "&")...)
}

// HostKey returns the one spelling of a host that is compared: lower case,
// without a final dot, addresses without brackets and IPv4-mapped ones as IPv4.
func HostKey(host string) string {
	if a, ok := ParseIP(host); ok {
		return a.String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// ParseIP reads a host that is an address, in brackets or not; IPv4 in IPv6 is
// IPv4. It reports false for a name, and is quick about it.
func ParseIP(host string) (netip.Addr, bool) {
	if host == "" || unhex(host[0]) > 9 && strings.IndexByte(host, ':') < 0 { // '[' has a ':' too
		return netip.Addr{}, false
	}
	if host[0] == '[' {
		host = strings.TrimSuffix(host[1:], "]")
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap(), err == nil
}

// Unescape decodes %HH. Escapes of control bytes and broken ones stay as they
// are, so that two different URIs never become one.
func Unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if c := hi<<4 | lo; hi < 16 && lo < 16 && c >= 0x20 && c != 0x7f {
				out = append(out, c)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// splitHostPort reads hostport of RFC 3261 section 25.1.
func splitHostPort(s string) (host string, port uint16, ok bool) {
	host = s
	colon := strings.LastIndexByte(s, ':')
	if end := strings.IndexByte(s, ']'); end >= 0 && colon < end {
		colon = -1
	}
	if colon >= 0 {
		n, err := strconv.ParseUint(s[colon+1:], 10, 16)
		if err != nil || n == 0 {
			return "", 0, false
		}
		host, port = s[:colon], uint16(n)
	}
	return host, port, validHost(host)
}

func validHost(h string) bool {
	if strings.HasPrefix(h, "[") {
		a, err := netip.ParseAddr(strings.TrimSuffix(h[1:], "]"))
		return err == nil && h[len(h)-1] == ']' && a.Is6()
	}
	for i := 0; i < len(h); i++ {
		if c := h[i]; !isAlnum(c) && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return h != "" && h[0] != '.' && h[0] != '-'
}

// userChars refuses what can never stand in userinfo. It is wider than the
// grammar where phones are.
func userChars(s string) bool { return clean(s, " \"<>@[]\\^`{}|#") }

func paramChars(s string) bool { return clean(s, " \"<>@\\^`{}#") }
