package firmware

import (
	"cmp"
	"strings"
)

// Compare orders two versions as the vendors count: number by number, 10.x after
// 9.x. It is negative when a is older. Words between numbers are compared as text,
// and a version that goes on is newer than one that ends: 5.9.7 < 5.9.7.4477.
func Compare(a, b string) int {
	for {
		var x, y string
		x, a = part(a)
		y, b = part(b)
		if x == "" || y == "" {
			return cmp.Compare(len(x), len(y))
		}
		if c := compareParts(x, y); c != 0 {
			return c
		}
	}
}

// Same reports whether a and b can be one version, of which one is written
// shorter: an administrator writes 6.4.5 for what the phone reports as 6.4.5.2373.
func Same(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	for {
		var x, y string
		x, a = part(a)
		y, b = part(b)
		if x == "" || y == "" {
			return true
		}
		if compareParts(x, y) != 0 {
			return false
		}
	}
}

// older reports whether a is certainly older than b.
func older(a, b string) bool { return !Same(a, b) && Compare(a, b) < 0 }

// part cuts the first number or word off a version; "" at its end.
func part(s string) (first, rest string) {
	start := strings.IndexFunc(s, func(r rune) bool { return digit(r) || letter(r) })
	if start < 0 {
		return "", ""
	}
	s = s[start:]
	kind := letter
	if digit(rune(s[0])) {
		kind = digit
	}
	end := strings.IndexFunc(s, func(r rune) bool { return !kind(r) })
	if end < 0 {
		return s, ""
	}
	return s[:end], s[end:]
}

func compareParts(x, y string) int {
	nx, ny := digit(rune(x[0])), digit(rune(y[0]))
	switch {
	case nx != ny: // 1.0.beta comes before 1.0.3
		if nx {
			return 1
		}
		return -1
	case !nx:
		return strings.Compare(strings.ToLower(x), strings.ToLower(y))
	}
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
}

func digit(r rune) bool { return r >= '0' && r <= '9' }

func letter(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }
