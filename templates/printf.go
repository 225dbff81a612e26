package templates

import (
	"fmt"
	"strconv"
)

// printed is a function of texts and numbers; secrets print as [redacted].
func printed(fn func([]any) string) builder {
	return func(at position, args []expr) (expr, error) {
		for _, a := range args {
			if a.str == nil && a.num == nil {
				return expr{}, at.errorf("%s cannot be printed", typeName(a.t))
			}
		}
		return expr{t: stringType, str: func(f *frame) string {
			all, size := make([]any, len(args)), 0
			for i, a := range args {
				switch {
				case a.t == secretType:
					all[i] = "[redacted]"
				case a.t == boolType:
					all[i] = a.num(f) != 0
				case a.num != nil:
					all[i] = a.num(f)
				default:
					text := a.str(f)
					all[i], size = text, size+len(text)
				}
				if size += numberSize; size > maxBytes {
					panic(at.errorf("%s", tooMuch))
				}
			}
			return f.text(fn(all))
		}}, nil
	}
}

func format(at position, args []expr) (expr, error) {
	if len(args) == 0 || args[0].t != stringType {
		return expr{}, at.errorf("printf wants a format")
	}
	return printed(func(all []any) string {
		text, _ := all[0].(string)
		if mostOf(text, all[1:]) > maxBytes {
			panic(at.errorf("printf would make more than %d MB", maxBytes>>20))
		}
		return fmt.Sprintf(text, all[1:]...)
	})(at, args)
}

// mostOf is how many bytes printf can make of a format and its values at the most:
// what it would make is known only when it has been made.
func mostOf(format string, args []any) int {
	longest, widest := numberSize, 0
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

// numberSize is how long a number can get: in binary, with sign, brackets and type.
const numberSize = 96

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
