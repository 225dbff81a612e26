package templates

import "strconv"

// mostOf is how many bytes printf can make of a format and its values at the most:
// what it would make is known only when it has been made.
func mostOf(format string, args []any) int {
	longest, widest := 80, 0 // a number in binary, with its sign and brackets
	for _, a := range args {
		switch a := a.(type) {
		case string:
			longest = max(longest, 6*len(a)+16) // %q of what cannot be printed, % #x
		case int:
			widest = max(widest, a, -a) // for a *
		}
	}
	widest = min(widest, maxWidth)
	n := len(format)
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		n += longest
		for i++; i < len(format) && !isVerb(format[i]); i++ {
			if format[i] == '*' {
				n += widest
			}
			if d := digitsAt(format[i:]); d > 0 {
				width, err := strconv.Atoi(format[i : i+d])
				if err != nil || width > maxWidth {
					width = maxWidth
				}
				n += width
				i += d - 1
			}
		}
		if n > maxBytes {
			return n
		}
	}
	return n + len(args)*longest // those that the format has no verb for
}

// maxWidth is the largest width and precision that fmt knows.
const maxWidth = 1_000_000

func isVerb(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '%' || c >= 0x80 }

func digitsAt(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
