package templates

import (
	"cmp"
	"strings"
)

// compare compares the first argument with each of the others; one that fits is
// enough.
func compare(fits func(int) bool) builder {
	return func(at position, args []expr) (expr, error) {
		if len(args) < 2 {
			return expr{}, at.errorf("a comparison wants two values")
		}
		for _, a := range args {
			if a.t != args[0].t || a.str == nil && a.num == nil || a.t == secretType {
				return expr{}, at.errorf("%s and %s cannot be compared", typeName(args[0].t), typeName(a.t))
			}
		}
		if len(args) == 2 && args[0].str != nil {
			return compareTexts(fits, args[0], args[1]), nil
		}
		first, others := args[0].value(), args[1:]
		texts := args[0].str != nil
		return expr{t: boolType, num: func(f *frame) int {
			v := first(f)
			for _, o := range others {
				if texts && fits(strings.Compare(v.s, o.str(f))) || !texts && fits(cmp.Compare(v.n, o.num(f))) {
					return 1
				}
			}
			return 0
		}}, nil
	}
}

func compareTexts(fits func(int) bool, a, b expr) expr {
	same := fits(0)
	if same == fits(1) || same == fits(-1) { // neither eq nor ne
		return expr{t: boolType, num: func(f *frame) int { return btoi(fits(strings.Compare(a.str(f), b.str(f)))) }}
	}
	e := expr{t: boolType, num: func(f *frame) int { return btoi((a.str(f) == b.str(f)) == same) }}
	if a.field && b.lit {
		e.fast = step{code: codeUnlessOther, off: a.off, lit: b.str(nil)}
		if same {
			e.fast.code = codeUnlessSame
		}
	}
	return e
}

// logic is and and or: the first value that decides, else the last; a truth when
// the values are of several types. Each is evaluated once: it may be made of others.
func logic(decides bool) builder {
	return func(at position, args []expr) (expr, error) {
		if len(args) == 0 {
			return expr{}, at.errorf("wants a value")
		}
		same := true
		for _, a := range args {
			same = same && a.t == args[0].t
		}
		last := len(args) - 1
		if !same {
			tests := make([]func(*frame) bool, len(args))
			for i, a := range args {
				tests[i] = a.test()
			}
			return expr{t: boolType, num: func(f *frame) int {
				for _, test := range tests[:last] {
					if test(f) == decides {
						return btoi(decides)
					}
				}
				return btoi(tests[last](f))
			}}, nil
		}
		values, truth := make([]func(*frame) value, len(args)), truthOf(args[0].t)
		for i, a := range args {
			values[i] = a.value()
		}
		return exprOf(args[0].t, func(f *frame) value {
			for _, get := range values[:last] {
				if v := get(f); truth(v) == decides {
					return v
				}
			}
			return values[last](f)
		}), nil
	}
}
