package templates

import (
	"fmt"
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

// escapers returns the functions by name.
func escapers() map[string]any {
	return map[string]any{
		escAttr:  func(v any) (string, error) { return escape(v, xmlEscape) },
		escText:  func(v any) (string, error) { return escape(v, xmlEscape) },
		escLine:  func(v any) (string, error) { return escape(v, lineEscape) },
		escParam: paramName,
		escRaw:   func(v any) (string, error) { return escape(v, func(s string) string { return s }) },
	}
}

func escape(v any, how func(string) string) (string, error) {
	s, err := textOf(v)
	if err != nil {
		return "", err
	}
	return how(s), nil
}

// textOf is the one place where a file gets the text of a secret.
func textOf(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int:
		return strconv.Itoa(v), nil
	case bool:
		if v {
			return "1", nil
		}
		return "0", nil
	case phone.Secret:
		return v.Reveal(), nil
	}
	return "", fmt.Errorf("a value of type %T cannot be written into a file", v)
}

// xmlEscape makes s safe in XML text and in attribute values with either quote.
func xmlEscape(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\'':
			b.WriteString("&#39;")
		case r == '\n', r == '\r', r == '\t':
			fmt.Fprintf(&b, "&#%d;", r)
		case xmlChar(r):
			b.WriteRune(r) // a byte that is not UTF-8 ranges as U+FFFD
		}
	}
	return b.String()
}

// plain reports whether no dialect has to change s: letters, digits and the marks
// that host names, numbers and minted passwords consist of.
func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' && c != ':' {
			return false
		}
	}
	return true
}

// xmlChar is production 2 of XML 1.0 without the three characters handled above.
func xmlChar(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}

func lineEscape(s string) string {
	if plain(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, s)
	s = strings.TrimLeftFunc(s, func(r rune) bool { return r == '%' || unicode.IsSpace(r) })
	return strings.TrimRightFunc(s, unicode.IsSpace)
}

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

// paramName lets through what can stand where a file names a parameter.
func paramName(v any) (string, error) {
	s, ok := v.(string)
	if !ok || !ValidParam(s) {
		return "", fmt.Errorf("%.40q cannot be the name of a parameter", fmt.Sprint(v))
	}
	return s, nil
}

// ValidParam reports whether s can be the name of a vendor parameter: a letter,
// then letters, digits, dots, dashes and underscores, at most 128 in all.
func ValidParam(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 128
}
