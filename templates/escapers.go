package templates

import (
	"slices"
	"strconv"
)

// escaper is a function that makes a text fit the dialect; at the end of an action
// it appends to the file without a string in between. fast is the step that does so
// for a text of the dot, if there is one.
func escaper(appendTo func([]byte, string) []byte, fast code) builder {
	return func(at position, args []expr) (expr, error) {
		if len(args) != 1 {
			return expr{}, at.errorf("an escaper takes one value")
		}
		a := args[0]
		if a.num != nil {
			return numberEscaper(a), nil
		}
		str, err := textOf(at, a)
		if err != nil {
			return expr{}, err
		}
		e := expr{
			t: stringType, lit: a.lit, str: func(f *frame) string {
				text := str(f)
				if f == nil { // of a constant
					return string(appendTo(nil, text))
				}
				return f.text(string(appendTo(nil, text)))
			},
			write: func(f *frame) flow {
				f.out = appendTo(f.out, str(f))
				return next
			},
		}
		switch {
		case a.field && fast != codeText:
			e.fast = step{code: fast, off: a.off}
		case a.cases != nil:
			e.fast = step{code: codeChoose, off: a.off, op: e.write, cases: slices.Clone(a.cases)}
			for i := 1; i < len(e.fast.cases); i += 2 {
				e.fast.cases[i] = string(appendTo(nil, e.fast.cases[i]))
			}
		}
		return e, nil
	}
}

// numberEscaper writes a number or a truth, which no dialect has to escape.
func numberEscaper(a expr) expr {
	e := expr{
		t: stringType, lit: a.lit, str: func(f *frame) string { return strconv.Itoa(a.num(f)) },
		write: func(f *frame) flow {
			f.out = appendNumber(f.out, a.num(f))
			return next
		},
	}
	switch {
	case a.field:
		e.fast = step{code: codeNumber, off: a.off}
	case a.variable > 0:
		e.fast = step{code: codeVarNumber, slot: a.variable}
	}
	return e
}

func parameter(at position, args []expr) (expr, error) {
	if len(args) != 1 || args[0].t != stringType {
		return expr{}, at.errorf("the name of a parameter is a text")
	}
	name := args[0].str
	e := expr{
		t: stringType, str: func(f *frame) string { return string(appendParam(nil, name(f), &at)) },
		write: func(f *frame) flow {
			f.out = appendParam(f.out, name(f), &at)
			return next
		},
	}
	if args[0].variable > 0 {
		e.fast = step{code: codeVarParam, slot: args[0].variable, at: &at}
	}
	return e, nil
}
