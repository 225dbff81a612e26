// Package textdiff compares texts by lines: what changed between two, and how the
// changes of two authors to one text go together. It keeps no state.
package textdiff

import (
	"fmt"
	"slices"
	"strings"
)

// pair is a line that two texts share: its places in the one and the other.
type pair struct{ a, b int }

// maxCells bounds the table of one comparison; larger pieces without any line of
// their own in common count as replaced.
const maxCells = 4 << 20

// match returns lines that a and b share, ascending in both.
func match(a, b []string) []pair {
	var out []pair
	matchInto(a, b, 0, 0, &out)
	return out
}

// matchInto takes what both begin and end with, then what stands once in both, and
// compares what is between.
func matchInto(a, b []string, offA, offB int, out *[]pair) {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		*out = append(*out, pair{offA + start, offB + start})
		start++
	}
	a, b, offA, offB = a[start:], b[start:], offA+start, offB+start
	tail := 0
	for tail < len(a) && tail < len(b) && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	x, y := a[:len(a)-tail], b[:len(b)-tail]
	switch anchors := unique(x, y); {
	case len(x) == 0 || len(y) == 0:
	case len(anchors) > 0:
		lastA, lastB := 0, 0
		for _, p := range anchors {
			matchInto(x[lastA:p.a], y[lastB:p.b], offA+lastA, offB+lastB, out)
			*out = append(*out, pair{offA + p.a, offB + p.b})
			lastA, lastB = p.a+1, p.b+1
		}
		matchInto(x[lastA:], y[lastB:], offA+lastA, offB+lastB, out)
	case len(x)*len(y) <= maxCells:
		longest(x, y, offA, offB, out)
	}
	for i := range tail {
		*out = append(*out, pair{offA + len(x) + i, offB + len(y) + i})
	}
}

// unique returns the lines that stand once in a and once in b, those that keep their
// order in both: the longest ascending row of them.
func unique(a, b []string) []pair {
	type place struct{ a, b, times int }
	seen := map[string]*place{}
	for i, line := range a {
		if p := seen[line]; p != nil {
			p.times = 9
		} else {
			seen[line] = &place{a: i, b: -1}
		}
	}
	for i, line := range b {
		if p := seen[line]; p != nil {
			p.times++
			p.b = i
		}
	}
	var all []pair
	for i, line := range a {
		if p := seen[line]; p.a == i && p.times == 1 {
			all = append(all, pair{p.a, p.b})
		}
	}
	return ascending(all)
}

// ascending returns a longest part of list whose b grow (list's a do already).
func ascending(list []pair) []pair {
	var tops []int // index of the last element of the best row of each length
	before := make([]int, len(list))
	for i, p := range list {
		n, _ := slices.BinarySearchFunc(tops, p.b, func(t, b int) int { return list[t].b - b })
		before[i] = -1
		if n > 0 {
			before[i] = tops[n-1]
		}
		if n == len(tops) {
			tops = append(tops, i)
		} else {
			tops[n] = i
		}
	}
	if len(tops) == 0 {
		return nil
	}
	out := make([]pair, len(tops))
	for i, n := tops[len(tops)-1], len(out)-1; n >= 0; i, n = before[i], n-1 {
		out[n] = list[i]
	}
	return out
}

// longest is the longest common subsequence by a table.
func longest(a, b []string, offA, offB int, out *[]pair) {
	width := len(b) + 1
	table := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i*width+j] = table[(i+1)*width+j+1] + 1
			} else {
				table[i*width+j] = max(table[(i+1)*width+j], table[i*width+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			*out = append(*out, pair{offA + i, offB + j})
			i, j = i+1, j+1
		case table[(i+1)*width+j] >= table[i*width+j+1]:
			i++
		default:
			j++
		}
	}
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// context is how many lines around a change Unified shows.
const context = 3

// Unified returns the difference of two texts as "diff -u" shows it, without the
// head that names files; empty when the lines are the same.
func Unified(from, to string) string {
	a, b := lines(from), lines(to)
	var out strings.Builder
	for _, h := range hunks(match(a, b), len(a), len(b)) {
		h.write(&out, a, b)
	}
	return out.String()
}

// piece is a run of lines of both texts, shared or not.
type piece struct {
	same           bool
	a, b, lenA, lB int
}

// pieces cuts both texts into runs that are shared and runs that are not.
func pieces(shared []pair, lenA, lenB int) []piece {
	var out []piece
	a, b := 0, 0
	differ := func(toA, toB int) {
		if toA > a || toB > b {
			out = append(out, piece{a: a, b: b, lenA: toA - a, lB: toB - b})
		}
		a, b = toA, toB
	}
	for _, p := range shared {
		differ(p.a, p.b)
		if n := len(out); n > 0 && out[n-1].same {
			out[n-1].lenA++
			out[n-1].lB++
		} else {
			out = append(out, piece{same: true, a: a, b: b, lenA: 1, lB: 1})
		}
		a, b = p.a+1, p.b+1
	}
	differ(lenA, lenB)
	return out
}

// hunk is pieces that are shown together.
type hunk []piece

// hunks leaves out what is more than context away from every change.
func hunks(shared []pair, lenA, lenB int) []hunk {
	var out []hunk
	var open hunk
	all := pieces(shared, lenA, lenB)
	for i, p := range all {
		if !p.same {
			open = append(open, p)
			continue
		}
		first, last := i == 0, i == len(all)-1
		if !first && !last && p.lenA <= 2*context {
			open = append(open, p)
			continue
		}
		if !first {
			head := min(context, p.lenA)
			out = append(out, append(open, piece{same: true, a: p.a, b: p.b, lenA: head, lB: head}))
			open = nil
		}
		if !last {
			tail := min(context, p.lenA)
			open = hunk{{same: true, a: p.a + p.lenA - tail, b: p.b + p.lB - tail, lenA: tail, lB: tail}}
		}
	}
	if slices.ContainsFunc(open, func(p piece) bool { return !p.same }) {
		out = append(out, open)
	}
	return out
}

func (h hunk) write(w *strings.Builder, a, b []string) {
	nA, nB := 0, 0
	for _, p := range h {
		nA, nB = nA+p.lenA, nB+p.lB
	}
	fmt.Fprintf(w, "@@ -%s +%s @@\n", position(h[0].a, nA), position(h[0].b, nB))
	for _, p := range h {
		if p.same {
			prefixed(w, ' ', a[p.a:p.a+p.lenA])
			continue
		}
		prefixed(w, '-', a[p.a:p.a+p.lenA])
		prefixed(w, '+', b[p.b:p.b+p.lB])
	}
}

// position is a place and a length as diff writes them: from 1, and the line before
// when the length is 0.
func position(at, n int) string {
	if n > 0 {
		at++
	}
	return fmt.Sprintf("%d,%d", at, n)
}

func prefixed(w *strings.Builder, sign byte, list []string) {
	for _, line := range list {
		w.WriteByte(sign)
		w.WriteString(line)
		w.WriteByte('\n')
	}
}
