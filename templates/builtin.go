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

		escAttr: escaper(appendXML, codeXML), escText: escaper(appendXML, codeXML), escLine: escaper(appendLine, codeLine),
		escRaw:   escaper(func(b []byte, s string) []byte { return append(b, s...) }, codeText),
		escParam: parameter,
	}
	for name, b := range vendorFunctions() {
		functions[name] = b
	}
}

func onText(fn func(string) string) builder {
	return func(at position, args []expr) (expr, error) {
		if len(args) != 1 || args[0].t != stringType {
			return expr{}, at.errorf("wants one text")
		}
		str := args[0].str
		return expr{t: stringType, str: func(f *frame) string { return f.text(fn(str(f))) }}, nil
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
	switch {
	case a.t == mapType:
		return expr{t: intType, num: func(f *frame) int { return len(textsAt(a.ptr(f))) }}, nil
	case a.t.Kind() == reflect.Slice:
		return expr{t: intType, num: func(f *frame) int { return lengthOf(a.ptr(f)) }}, nil
	}
	return expr{}, at.errorf("len wants a text or a list")
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
			key := i.str(f)
			text, ok := textsAt(list.ptr(f))[key]
			if !ok {
				panic(at.errorf("there is no %.40q", key))
			}
			return text
		}}, nil
	case list.t.Kind() == reflect.Slice && i.t == intType:
		load, size := loader(list.t.Elem()), list.t.Elem().Size()
		return exprOf(list.t.Elem(), func(f *frame) value {
			l, n := list.ptr(f), i.num(f)
			if n < 0 || n >= lengthOf(l) {
				panic(at.errorf("there is no element %d", n))
			}
			return load(unsafe.Add(elements(l), uintptr(n)*size))
		}), nil
	}
	return expr{}, at.errorf("%s has no element %s", typeName(list.t), typeName(i.t))
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
	if e, ok := chooseLiteral(at, args[0], cases); ok {
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
func chooseLiteral(at position, from expr, cases []expr) (expr, bool) {
	key, pairs := from.str, len(cases)&^1
	texts := make([]string, pairs)
	for i, c := range cases[:pairs] {
		if !c.lit {
			return expr{}, false
		}
		texts[i] = c.str(nil)
	}
	e := expr{t: stringType, str: func(f *frame) string {
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
	}}
	if from.field {
		e.cases, e.off = texts, from.off
	}
	return e, true
}

// hostPort joins a host and a port; port 0 is left out.
func hostPort(at position, args []expr) (expr, error) {
	if len(args) != 2 || args[0].t != stringType || args[1].t != intType {
		return expr{}, at.errorf("hostport wants a host and a port")
	}
	host, port := args[0].str, args[1].num
	return expr{t: stringType, str: func(f *frame) string { return f.text(joinHostPort(host(f), port(f))) }}, nil
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
