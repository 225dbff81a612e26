package templates

import (
	"fmt"
	"net"
	"reflect"
	"strconv"
	"strings"
	"unsafe"
)

// builder checks the arguments of a function and compiles its call.
type builder func(at position, args []expr) (expr, error)

// functions are all that a template can call: pure, without the environment, the
// clock or chance.
var functions map[string]builder

func init() {
	functions = map[string]builder{
		"eq": compare(func(c int) bool { return c == 0 }), "ne": compare(func(c int) bool { return c != 0 }),
		"lt": compare(func(c int) bool { return c < 0 }), "le": compare(func(c int) bool { return c <= 0 }),
		"gt": compare(func(c int) bool { return c > 0 }), "ge": compare(func(c int) bool { return c >= 0 }),
		"and": logic(false), "or": logic(true), "not": not, "len": length, "index": index,
		"print": printed(func(args []any) string { return fmt.Sprint(args...) }), "printf": format,

		"choose":   choose,
		"hostport": hostPort,
		"lower":    onText(strings.ToLower),
		"upper":    onText(strings.ToUpper),
		"scheme":   onText(func(url string) string { s, _ := splitURL(url); return s }),
		"unscheme": onText(func(url string) string { _, rest := splitURL(url); return rest }),
		"folder":   onText(folder),
		"seconds":  onText(secondsOf),
		"hour":     onText(func(clock string) string { h, _, _ := strings.Cut(clock, ":"); return h }),
		"minutes":  onNumber(func(seconds int) int { return max(1, seconds/60) }),
		"add":      arithmetic(func(a, b int) int { return a + b }), "sub": arithmetic(func(a, b int) int { return a - b }),
		"mul": arithmetic(func(a, b int) int { return a * b }),

		escAttr: escaper(appendXML), escText: escaper(appendXML), escLine: escaper(appendLine),
		escRaw:   escaper(func(b []byte, s string) []byte { return append(b, s...) }),
		escParam: parameter,
	}
	for name, b := range vendorFunctions() {
		functions[name] = b
	}
}

// escaper is a function that makes a text fit the dialect; at the end of an action
// it appends to the file without a string in between.
func escaper(appendTo func([]byte, string) []byte) builder {
	return func(at position, args []expr) (expr, error) {
		if len(args) != 1 {
			return expr{}, at.errorf("an escaper takes one value")
		}
		a := args[0]
		if a.field {
			return fieldEscaper(appendTo, a), nil
		}
		if a.num != nil {
			return expr{
				t: stringType, str: func(f *frame) string { return strconv.Itoa(a.num(f)) },
				write: func(f *frame) flow {
					if n := a.num(f); uint(n) < 10 {
						f.out = append(f.out, '0'+byte(n))
					} else {
						f.out = strconv.AppendInt(f.out, int64(n), 10)
					}
					return next
				},
			}, nil
		}
		str, err := textOf(at, a)
		if err != nil {
			return expr{}, err
		}
		return expr{
			t: stringType, str: func(f *frame) string { return string(appendTo(nil, str(f))) },
			write: func(f *frame) flow {
				f.out = appendTo(f.out, str(f))
				return next
			},
		}, nil
	}
}

// fieldEscaper writes a field of the dot: the most common action, without a call in
// between.
func fieldEscaper(appendTo func([]byte, string) []byte, a expr) expr {
	off := a.off
	if a.num != nil {
		return expr{t: stringType, str: func(f *frame) string { return strconv.Itoa(a.num(f)) }, write: func(f *frame) flow {
			if n := *(*int)(unsafe.Add(f.dot.p, off)); uint(n) < 10 {
				f.out = append(f.out, '0'+byte(n))
			} else {
				f.out = strconv.AppendInt(f.out, int64(n), 10)
			}
			return next
		}}
	}
	return expr{t: stringType, str: func(f *frame) string { return string(appendTo(nil, a.str(f))) }, write: func(f *frame) flow {
		f.out = appendTo(f.out, *(*string)(unsafe.Add(f.dot.p, off)))
		return next
	}}
}

func parameter(at position, args []expr) (expr, error) {
	if len(args) != 1 || args[0].t != stringType {
		return expr{}, at.errorf("the name of a parameter is a text")
	}
	str := func(f *frame) string {
		name := args[0].str(f)
		if !ValidParam(name) {
			panic(at.errorf("%.40q cannot be the name of a parameter", name))
		}
		return name
	}
	return expr{t: stringType, str: str, write: func(f *frame) flow {
		f.out = append(f.out, str(f)...)
		return next
	}}, nil
}

func onText(fn func(string) string) builder {
	return func(at position, args []expr) (expr, error) {
		if len(args) != 1 || args[0].t != stringType {
			return expr{}, at.errorf("wants one text")
		}
		str := args[0].str
		return expr{t: stringType, str: func(f *frame) string { return fn(str(f)) }}, nil
	}
}

func onNumber(fn func(int) int) builder {
	return func(at position, args []expr) (expr, error) {
		if len(args) != 1 || args[0].t != intType {
			return expr{}, at.errorf("wants one number")
		}
		num := args[0].num
		return expr{t: intType, num: func(f *frame) int { return fn(num(f)) }}, nil
	}
}

func arithmetic(fn func(a, b int) int) builder {
	return func(at position, args []expr) (expr, error) {
		if len(args) != 2 || args[0].t != intType || args[1].t != intType {
			return expr{}, at.errorf("wants two numbers")
		}
		a, b := args[0].num, args[1].num
		return expr{t: intType, num: func(f *frame) int { return fn(a(f), b(f)) }}, nil
	}
}

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
		first, others := args[0], args[1:]
		if len(others) == 1 && first.str != nil {
			b := others[0].str
			if same := fits(0); same != fits(1) && same != fits(-1) { // eq and ne
				return expr{t: boolType, num: func(f *frame) int { return btoi((first.str(f) == b(f)) == same) }}, nil
			}
			return expr{t: boolType, num: func(f *frame) int { return btoi(fits(strings.Compare(first.str(f), b(f)))) }}, nil
		}
		return expr{t: boolType, num: func(f *frame) int {
			for _, o := range others {
				if first.str != nil && fits(strings.Compare(first.str(f), o.str(f))) || first.num != nil && fits(first.num(f)-o.num(f)) {
					return 1
				}
			}
			return 0
		}}, nil
	}
}

// logic is and and or: the first value that decides, else the last; a truth when
// the values are of several types.
func logic(decides bool) builder {
	return func(at position, args []expr) (expr, error) {
		if len(args) == 0 {
			return expr{}, at.errorf("wants a value")
		}
		same := true
		tests := make([]func(*frame) bool, len(args))
		for i, a := range args {
			tests[i] = a.test()
			same = same && a.t == args[0].t
		}
		chosen := func(f *frame) int {
			for i := range len(args) - 1 {
				if tests[i](f) == decides {
					return i
				}
			}
			return len(args) - 1
		}
		if same {
			values := make([]func(*frame) value, len(args))
			for i, a := range args {
				values[i] = a.value()
			}
			return exprOf(args[0].t, func(f *frame) value { return values[chosen(f)](f) }), nil
		}
		return expr{t: boolType, num: func(f *frame) int { return btoi(tests[chosen(f)](f)) }}, nil
	}
}

func not(at position, args []expr) (expr, error) {
	if len(args) != 1 {
		return expr{}, at.errorf("not wants one value")
	}
	test := args[0].test()
	return expr{t: boolType, num: func(f *frame) int { return btoi(!test(f)) }}, nil
}

func length(at position, args []expr) (expr, error) {
	if len(args) != 1 || args[0].t == secretType || args[0].num != nil {
		return expr{}, at.errorf("len wants a text or a list")
	}
	a := args[0]
	if a.str != nil {
		return expr{t: intType, num: func(f *frame) int { return len(a.str(f)) }}, nil
	}
	if k := a.t.Kind(); k != reflect.Slice && k != reflect.Map {
		return expr{}, at.errorf("len wants a text or a list")
	}
	return expr{t: intType, num: func(f *frame) int { return a.get(f).Len() }}, nil
}

// index is an element of a list or a map; one that is not there is an error.
func index(at position, args []expr) (expr, error) {
	if len(args) != 2 {
		return expr{}, at.errorf("index wants a list and a place")
	}
	list, i := args[0], args[1]
	switch {
	case list.t == mapType && i.t == stringType:
		return expr{t: stringType, str: func(f *frame) string {
			m, _ := list.get(f).Interface().(map[string]string)
			text, ok := m[i.str(f)]
			if !ok {
				panic(at.errorf("there is no %.40q", i.str(f)))
			}
			return text
		}}, nil
	case list.t.Kind() == reflect.Slice && i.t == intType:
		return exprOf(list.t.Elem(), func(f *frame) value {
			l, n := list.get(f), i.num(f)
			if n < 0 || n >= l.Len() {
				panic(at.errorf("there is no element %d", n))
			}
			return ofReflect(l.Index(n))
		}), nil
	}
	return expr{}, at.errorf("%s has no element %s", typeName(list.t), typeName(i.t))
}

// printed is a function of texts and numbers; secrets print as [redacted].
func printed(fn func([]any) string) builder {
	return func(at position, args []expr) (expr, error) {
		for _, a := range args {
			if a.str == nil && a.num == nil {
				return expr{}, at.errorf("%s cannot be printed", typeName(a.t))
			}
		}
		return expr{t: stringType, str: func(f *frame) string {
			all := make([]any, len(args))
			for i, a := range args {
				switch {
				case a.t == secretType:
					all[i] = "[redacted]"
				case a.t == boolType:
					all[i] = a.num(f) != 0
				case a.num != nil:
					all[i] = a.num(f)
				default:
					all[i] = a.str(f)
				}
			}
			return fn(all)
		}}, nil
	}
}

func format(at position, args []expr) (expr, error) {
	if len(args) == 0 || args[0].t != stringType {
		return expr{}, at.errorf("printf wants a format")
	}
	return printed(func(all []any) string {
		text, _ := all[0].(string)
		return fmt.Sprintf(text, all[1:]...)
	})(at, args)
}

// choose returns the result beside the case that is key:
// {{choose .Transport "udp" "0" "tcp" "1"}}. A result without a case, at the end,
// is for all others; without it, no case is an error.
func choose(at position, args []expr) (expr, error) {
	if len(args) < 3 {
		return expr{}, at.errorf("choose wants a text and cases")
	}
	for _, a := range args {
		if a.t != stringType {
			return expr{}, at.errorf("choose wants texts")
		}
	}
	key, cases := args[0].str, args[1:]
	if e, ok := chooseLiteral(at, key, cases); ok {
		return e, nil
	}
	return expr{t: stringType, str: func(f *frame) string {
		k := key(f)
		for i := 0; i+1 < len(cases); i += 2 {
			if cases[i].str(f) == k {
				return cases[i+1].str(f)
			}
		}
		if len(cases)%2 == 1 {
			return cases[len(cases)-1].str(f)
		}
		panic(at.errorf("choose: no case for %.40q", k))
	}}, nil
}

// chooseLiteral is choose where all cases and results are constants, but perhaps the
// one for all others.
func chooseLiteral(at position, key func(*frame) string, cases []expr) (expr, bool) {
	pairs := len(cases) &^ 1
	texts := make([]string, pairs)
	for i, c := range cases[:pairs] {
		if !c.lit {
			return expr{}, false
		}
		texts[i] = c.str(nil)
	}
	return expr{t: stringType, str: func(f *frame) string {
		k := key(f)
		for i := 0; i+1 < len(texts); i += 2 {
			if texts[i] == k {
				return texts[i+1]
			}
		}
		if pairs < len(cases) {
			return cases[pairs].str(f)
		}
		panic(at.errorf("choose: no case for %.40q", k))
	}}, true
}

// hostPort joins a host and a port; port 0 is left out.
func hostPort(at position, args []expr) (expr, error) {
	if len(args) != 2 || args[0].t != stringType || args[1].t != intType {
		return expr{}, at.errorf("hostport wants a host and a port")
	}
	host, port := args[0].str, args[1].num
	return expr{t: stringType, str: func(f *frame) string { return joinHostPort(host(f), port(f)) }}, nil
}

func joinHostPort(host string, port int) string {
	if port == 0 {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func splitURL(url string) (scheme, rest string) {
	if s, r, ok := strings.Cut(url, "://"); ok {
		return strings.ToLower(s), r
	}
	return "", url
}

// folder is a URL without its scheme and the slash at its end.
func folder(url string) string {
	_, rest := splitURL(url)
	return strings.TrimSuffix(rest, "/")
}

// secondsOf turns minutes into seconds; what is no number stays.
func secondsOf(minutes string) string {
	n, err := strconv.Atoi(minutes)
	if err != nil {
		return minutes
	}
	return strconv.Itoa(60 * n)
}
