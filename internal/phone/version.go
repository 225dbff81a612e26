package phone

import (
	"strconv"
	"strings"
)

// CompareVersions compares firmware versions part by part: numbers as numbers, so
// that 10.1 is above 9.9, and anything else as text ("6.3.1-rts46" is above
// "6.3.1"). It returns -1, 0 or 1. A version that goes on where the other ends is
// the higher one, unless all that follows are zeros.
func CompareVersions(a, b string) int {
	x, y := versionParts(a), versionParts(b)
	for i := range max(len(x), len(y)) {
		var p, q string
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		if c := comparePart(p, q); c != 0 {
			return c
		}
	}
	return 0
}

func versionParts(v string) []string {
	return strings.FieldsFunc(strings.TrimSpace(v), func(r rune) bool { return r == '.' || r == '-' || r == '_' || r == ' ' })
}

// comparePart compares one part; a missing one is 0.
func comparePart(a, b string) int {
	x, errA := strconv.ParseUint(orZero(a), 10, 63)
	y, errB := strconv.ParseUint(orZero(b), 10, 63)
	switch {
	case errA == nil && errB == nil:
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	case errA == nil: // a number is below a text
		return -1
	case errB == nil:
		return 1
	}
	return strings.Compare(a, b)
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}
