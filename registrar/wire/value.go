package wire

import "strings"

// NameAddr is one value of Contact, To, From or Path, each part as written.
type NameAddr struct {
	Display string // display name, quotes included; may be empty
	URI     string // without the angle brackets
	Params  string // header parameters with the leading ';', or empty
}

// ParseNameAddr splits one value. Without angle brackets every parameter is the
// header's, not the URI's (RFC 3261 section 20.10).
func ParseNameAddr(s string) (NameAddr, bool) {
	s = trim(s)
	open := indexOutsideQuotes(s, '<')
	if open < 0 {
		uri, params := s, ""
		if semi := strings.IndexByte(s, ';'); semi >= 0 {
			uri, params = s[:semi], s[semi:]
		}
		uri = trim(uri)
		// Only the bracketed form may have these (RFC 3261 section 20.10).
		return NameAddr{URI: uri, Params: params}, uri != "" && !strings.ContainsAny(uri, " \t,?\"<>")
	}
	length := strings.IndexByte(s[open:], '>')
	if length < 0 {
		return NameAddr{}, false
	}
	display := trim(s[:open])
	if !validDisplay(display) {
		return NameAddr{}, false
	}
	params := trim(s[open+length+1:])
	if params != "" && params[0] != ';' {
		return NameAddr{}, false
	}
	uri := trim(s[open+1 : open+length])
	return NameAddr{Display: display, URI: uri, Params: params}, uri != ""
}

// validDisplay accepts a whole quoted string or a row of words. Phones write
// more than tokens in the words, so only what would shift a boundary is refused.
func validDisplay(s string) bool {
	if s == "" || s[0] != '"' {
		return !strings.ContainsAny(s, "\"<>;,")
	}
	return quotedEnd(s) == len(s)
}

// CutList returns the first element of a comma-separated header value and what
// follows it. Commas inside quotes and angle brackets do not separate.
func CutList(s string) (first, rest string) {
	if strings.IndexByte(s, ',') < 0 {
		return trim(s), ""
	}
	quoted, angle := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == ',' && !angle:
			return trim(s[:i]), trim(s[i+1:])
		}
	}
	return trim(s), ""
}

// CutParam returns the first parameter of ";name=value;..." and what follows.
// The value keeps its quotes; it is empty for a parameter without '='.
func CutParam(params string) (name, value, rest string) {
	s := strings.TrimLeft(params, "; \t")
	end := indexOutsideQuotes(s, ';')
	if end < 0 {
		end = len(s)
	}
	name, value, _ = strings.Cut(s[:end], "=")
	return trim(name), trim(value), s[end:]
}

// Param returns the value of the first parameter with that name, in any case.
// The value keeps its quotes; see Unquote.
func Param(params, name string) (value string, ok bool) {
	for params != "" {
		var n, v string
		if n, v, params = CutParam(params); strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}

// Unquote removes the quotes of a quoted string and the escapes inside; any
// other text comes back as it is.
func Unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}

// quotedEnd returns the index after the quoted string that s starts with, or -1.
func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// indexOutsideQuotes is strings.IndexByte that skips quoted strings.
func indexOutsideQuotes(s string, c byte) int {
	for i := 0; i < len(s); i++ {
		if s[i] == c {
			return i
		}
		if s[i] == '"' {
			n := quotedEnd(s[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		}
	}
	return -1
}
