package templates

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"pbx.dev/dialtone/internal/phone"
)

// The escapers. Every action of every template ends in one of them: in the default
// of its dialect, appended when the template is parsed, or in one named by hand.
const (
	escAttr  = "attr"  // XML attribute value (Polycom's default)
	escText  = "text"  // XML text (Grandstream's default)
	escLine  = "line"  // value of a Yealink "key = value" line (Yealink's default)
	escParam = "param" // name of a parameter
	escRaw   = "raw"   // as it is: has to be asked for by name, no builtin does
)

// Characters that a dialect cannot carry are removed, never replaced by others:
// XML (attr, text): code points outside XML 1.0 section 2.2, that is most control
// characters; bytes that are not UTF-8 become U+FFFD. Line feed, carriage return
// and tab are kept as character references.
// Yealink (line): all control characters, line and paragraph separators; blanks at
// both ends, which the phone would strip; "%" at the start, because a value that
// starts with it is a command to the phone (%NULL% resets a parameter to its
// default, %EMPTY% empties it; phone-facts/README.md 2.2) and there is no way to
// quote it. "#", ";" and "=" are kept: the value runs to the end of the line, and
// "#" starts a comment only where a line starts.

// xmlPlain marks the bytes that XML does not have to change, paramPlain those that
// the name of a parameter can have.
var xmlPlain, paramPlain = func() (x, p [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		x[c] = strings.IndexByte(`&<>"'`, byte(c)) < 0
		p[c] = letter || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_'
	}
	return x, p
}()

func all(s string, in *[256]bool) bool {
	for i := range len(s) {
		if !in[s[i]] {
			return false
		}
	}
	return true
}

// appendXML appends s so that it is safe in XML text and in attribute values with
// either quote.
func appendXML(b []byte, s string) []byte {
	if all(s, &xmlPlain) {
		return append(b, s...)
	}
	for _, r := range s {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '"':
			b = append(b, "&quot;"...)
		case r == '\'':
			b = append(b, "&#39;"...)
		case r == '\n', r == '\r', r == '\t':
			b = append(b, '&', '#')
			b = strconv.AppendInt(b, int64(r), 10)
			b = append(b, ';')
		case xmlChar(r):
			b = utf8.AppendRune(b, r) // a byte that is not UTF-8 ranges as U+FFFD
		}
	}
	return b
}

// xmlChar is production 2 of XML 1.0 without the three characters handled above.
func xmlChar(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}

// appendLine appends s as the value of a Yealink line.
func appendLine(b []byte, s string) []byte {
	n, end := len(s), len(b)
	if n == 0 {
		return b
	}
	if s[0] > ' ' && s[0] != '%' && s[n-1] > ' ' {
		if cap(b)-end < n {
			b = slices.Grow(b, n)
		}
		if copyPrintable(b[end:end+n], s) {
			return b[:end+n]
		}
	}
	return append(b, lineEscape(s)...)
}

// copyPrintable copies s to b, which is as long, and reports whether it is of the
// printable characters of ASCII alone. It takes eight bytes at a time, the last ones
// once more where they are not eight: a byte below 0x20 or above 0x7e leaves a top bit.
func copyPrintable(b []byte, s string) bool {
	const ones, top = 0x0101010101010101, 0x8080808080808080
	n := len(s)
	b = b[:n]
	if n < 8 {
		odd := byte(0)
		for i := range n {
			c := s[i]
			b[i] = c
			odd |= c | (c - 0x20) | (c + 1)
		}
		return odd&0x80 == 0
	}
	odd := uint64(0)
	for i := 0; ; i += 8 {
		i = min(i, n-8)
		x := eight(s[i : i+8])
		binary.LittleEndian.PutUint64(b[i:i+8], x)
		odd |= x | (x - 0x20*ones) | (x + ones)
		if i == n-8 {
			return odd&top == 0
		}
	}
}

func eight(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func lineEscape(s string) string {
	if strings.IndexFunc(s, unprintable) >= 0 || !utf8.ValidString(s) {
		s = strings.Map(func(r rune) rune {
			if unprintable(r) {
				return -1
			}
			return r
		}, s)
	}
	s = strings.TrimLeftFunc(s, func(r rune) bool { return r == '%' || unicode.IsSpace(r) })
	return strings.TrimRightFunc(s, unicode.IsSpace)
}

func unprintable(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// Carries reports whether a file of the vendor hands s to the phone unchanged.
// Whoever accepts passwords for a phone can ask before it is too late.
func Carries(vendor phone.Vendor, s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	if vendor == phone.Yealink {
		return lineEscape(s) == s
	}
	for _, r := range s {
		if r != '\n' && r != '\r' && r != '\t' && !xmlChar(r) {
			return false
		}
	}
	return true
}

// ValidParam reports whether s can be the name of a vendor parameter: a letter,
// then letters, digits, dots, dashes and underscores, at most 128 in all.
func ValidParam(s string) bool {
	return len(s) > 0 && len(s) <= 128 && s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z' && all(s, &paramPlain)
}
