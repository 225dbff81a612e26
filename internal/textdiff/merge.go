package textdiff

import (
	"slices"
	"strings"
)

// The lines around what two authors changed differently.
const (
	MarkOurs   = "<<<<<<< yours"
	MarkMiddle = "======="
	MarkTheirs = ">>>>>>> built-in"
)

// Merge applies the changes from base to theirs to ours. Where both changed the same
// lines differently the merged text has both between marks, and conflicts counts
// those places.
func Merge(base, ours, theirs string) (merged string, conflicts int) {
	b, o, t := lines(base), lines(ours), lines(theirs)
	toOurs, toTheirs := places(match(b, o), len(b), len(o)), places(match(b, t), len(b), len(t))
	var out []string
	atB, atO, atT := 0, 0, 0
	for atB < len(b) || atO < len(o) || atT < len(t) {
		if atB < len(b) && toOurs[atB] == atO && toTheirs[atB] == atT {
			out = append(out, b[atB])
			atB, atO, atT = atB+1, atO+1, atT+1
			continue
		}
		endB, endO, endT := sync(toOurs, toTheirs, atB, len(b), len(o), len(t))
		yours, builtin := o[atO:endO], t[atT:endT]
		switch was := b[atB:endB]; {
		case slices.Equal(yours, builtin), slices.Equal(builtin, was):
			out = append(out, yours...)
		case slices.Equal(yours, was):
			out = append(out, builtin...)
		default:
			conflicts++
			out = append(append(append(append(append(out, MarkOurs), yours...), MarkMiddle), builtin...), MarkTheirs)
		}
		atB, atO, atT = endB, endO, endT
	}
	if len(out) == 0 {
		return "", conflicts
	}
	return strings.Join(out, "\n") + "\n", conflicts
}

// places says for each line of the first text where it is in the other; -1: nowhere.
func places(shared []pair, lenA, _ int) []int {
	out := make([]int, lenA)
	for i := range out {
		out[i] = -1
	}
	for _, p := range shared {
		out[p.a] = p.b
	}
	return out
}

// sync finds the next line of base, from at on, that stands in both others.
func sync(toOurs, toTheirs []int, at, lenB, lenO, lenT int) (b, o, t int) {
	for i := at; i < lenB; i++ {
		if toOurs[i] >= 0 && toTheirs[i] >= 0 {
			return i, toOurs[i], toTheirs[i]
		}
	}
	return lenB, lenO, lenT
}
