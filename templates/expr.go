package templates

import (
	"reflect"
	"slices"
	"strconv"
	"text/template/parse"
	"unsafe"

	"pbx.dev/dialtone/internal/phone"
)

var (
	stringType = reflect.TypeFor[string]()
	intType    = reflect.TypeFor[int]()
	boolType   = reflect.TypeFor[bool]()
	secretType = reflect.TypeFor[phone.Secret]()
	mapType    = reflect.TypeFor[map[string]string]()
)

// expr is a compiled expression. Of str, num and ptr the one that fits t is set;
// write is set when the value has been escaped.
type expr struct {
	t        reflect.Type
	str      func(*frame) string // text, text of a secret
	num      func(*frame) int    // number, truth
	ptr      func(*frame) unsafe.Pointer
	write    op
	fast     step // does what write does, or what an if does on it, when its code is set
	lit      bool // str or num is a constant
	dot      bool // it is the dot, or off bytes inside it
	field    bool // it is the text or number off bytes inside the dot
	variable int  // it is the number or text in the slot of a variable; 0: it is none
	off      uintptr
	cases    []string // it is what these constants have for the text off bytes inside the dot, see choose
	settings []string // settings that it reads, for explain
}

// value is the general form of e.
func (e expr) value() func(*frame) value {
	switch {
	case e.str != nil:
		return func(f *frame) value { return value{s: e.str(f)} }
	case e.num != nil:
		return func(f *frame) value { return value{n: e.num(f)} }
	}
	of := subjectOf(elem(e.t))
	return func(f *frame) value { return value{p: e.ptr(f), subject: of} }
}

// exprOf is the expression of a value that is got by get.
func exprOf(t reflect.Type, get func(*frame) value) expr {
	e := expr{t: t}
	switch t {
	case stringType, secretType:
		e.str = func(f *frame) string { return get(f).s }
	case intType, boolType:
		e.num = func(f *frame) int { return get(f).n }
	default:
		e.ptr = func(f *frame) unsafe.Pointer { return get(f).p }
	}
	return e
}

func (s *scope) dotExpr() expr {
	e := dotOf(s.dot)
	e.settings = s.from
	return e
}

// dotOf and variableOf read without a copy of the whole value: most of what a
// template does is this.
func dotOf(t reflect.Type) expr {
	e := expr{t: t, dot: true}
	switch t {
	case stringType, secretType:
		e.str = func(f *frame) string { return f.dot.s }
	case intType, boolType:
		e.num = func(f *frame) int { return f.dot.n }
	default:
		e.ptr = func(f *frame) unsafe.Pointer { return f.dot.p }
	}
	return e
}

func variableOf(v variable) expr {
	e, slot := expr{t: v.t}, v.slot
	switch v.t {
	case stringType, secretType:
		e.str, e.variable = func(f *frame) string { return f.vars[f.base+slot].s }, slot
	case intType, boolType:
		e.num, e.variable = func(f *frame) int { return f.vars[f.base+slot].n }, slot
	default:
		e.ptr = func(f *frame) unsafe.Pointer { return f.vars[f.base+slot].p }
	}
	return e
}

// set is the op that gives e to a variable. A variable has one type, so that the
// rest of its value stays as it was.
func (e expr) set(slot int) op {
	switch {
	case e.str != nil:
		return func(f *frame) flow {
			text := e.str(f)
			f.vars[f.base+slot].s = text
			return next
		}
	case e.num != nil:
		return func(f *frame) flow {
			f.vars[f.base+slot].n = e.num(f)
			return next
		}
	}
	get := e.value()
	return func(f *frame) flow {
		f.vars[f.base+slot] = get(f)
		return next
	}
}

// test is the truth of e: not empty, not zero, not nothing.
func (e expr) test() func(*frame) bool {
	switch {
	case e.str != nil:
		return func(f *frame) bool { return e.str(f) != "" }
	case e.num != nil:
		return func(f *frame) bool { return e.num(f) != 0 }
	}
	truth := truthOf(e.t)
	return func(f *frame) bool { return truth(value{p: e.ptr(f)}) }
}

// unless is the step of an if on e; its jump is not known yet.
func (e expr) unless() step {
	switch {
	case e.fast.code != codeText && e.write == nil:
		return e.fast
	case e.field && e.str != nil:
		return step{code: codeUnlessText, off: e.off}
	case e.field:
		return step{code: codeUnlessNumber, off: e.off}
	}
	return step{code: codeUnless, test: e.test()}
}

// elem is the type of a dot made of a value: what a pointer points to.
func elem(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

func typeName(t reflect.Type) string {
	switch t {
	case secretType:
		return "a secret"
	case stringType:
		return "a text"
	case intType:
		return "a number"
	case boolType:
		return "a truth"
	}
	return t.String()
}

// pipe compiles a pipeline: the value of each command is the last argument of the
// next.
func (s *scope) pipe(p *parse.PipeNode) (expr, error) {
	var last *expr
	for _, cmd := range p.Cmds {
		e, err := s.command(cmd, last)
		if err != nil {
			return expr{}, err
		}
		last = &e
	}
	return *last, nil
}

func (s *scope) command(cmd *parse.CommandNode, final *expr) (expr, error) {
	id, ok := cmd.Args[0].(*parse.IdentifierNode)
	if !ok {
		if len(cmd.Args) > 1 || final != nil {
			return expr{}, s.at(cmd).errorf("%s takes no arguments", cmd.Args[0])
		}
		return s.operand(cmd.Args[0])
	}
	if s.c.calls++; s.c.calls > maxCalls {
		return expr{}, s.at(cmd).errorf("calls more than %d functions", maxCalls)
	}
	var args []expr
	var read []string
	for _, a := range cmd.Args[1:] {
		e, err := s.operand(a)
		if err != nil {
			return expr{}, err
		}
		args = append(args, e)
	}
	if final != nil {
		args = append(args, *final)
	}
	for _, a := range args {
		read = union(read, a.settings)
	}
	make, ok := functions[id.Ident]
	if !ok {
		return expr{}, s.at(cmd).errorf("there is no function %q", id.Ident)
	}
	e, err := make(s.at(cmd), args)
	for _, name := range e.settings {
		s.c.use(name, s.at(cmd))
	}
	e.settings = union(read, e.settings)
	return e, err
}

// maxCalls bounds the functions of one action.
const maxCalls = 200

// union is what is in a or in b, once.
func union(a, b []string) []string {
	out := slices.Clip(a)
	for _, name := range b {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func (s *scope) operand(n parse.Node) (expr, error) {
	switch n := n.(type) {
	case *parse.DotNode:
		return s.dotExpr(), nil
	case *parse.FieldNode:
		return s.fields(n, s.dotExpr(), n.Ident)
	case *parse.VariableNode:
		v, ok := s.find(n.Ident[0])
		if !ok {
			return expr{}, s.at(n).errorf("there is no variable %s", n.Ident[0])
		}
		return s.fields(n, variableOf(v), n.Ident[1:])
	case *parse.ChainNode:
		e, err := s.operand(n.Node)
		if err != nil {
			return e, err
		}
		return s.fields(n, e, n.Field)
	case *parse.PipeNode:
		return s.pipe(n)
	case *parse.IdentifierNode:
		return s.command(&parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{n}}, nil)
	}
	return s.literal(n)
}

func (s *scope) literal(n parse.Node) (expr, error) {
	switch n := n.(type) {
	case *parse.StringNode:
		text := n.Text
		return expr{t: stringType, str: func(*frame) string { return text }, lit: true}, nil
	case *parse.NumberNode:
		if !n.IsInt {
			return expr{}, s.at(n).errorf("%s is not a whole number", n.Text)
		}
		number := int(n.Int64)
		return expr{t: intType, num: func(*frame) int { return number }, lit: true}, nil
	case *parse.BoolNode:
		truth := btoi(n.True)
		return expr{t: boolType, num: func(*frame) int { return truth }, lit: true}, nil
	}
	return expr{}, s.at(n).errorf("%s is not understood", n)
}

// textOf is the text of a value that a file can hold.
func textOf(at position, e expr) (func(*frame) string, error) {
	switch {
	case e.str != nil:
		return e.str, nil
	case e.num != nil && e.t != nil:
		return func(f *frame) string { return strconv.Itoa(e.num(f)) }, nil
	}
	return nil, at.errorf("a value of type %s cannot be written into a file", typeName(e.t))
}
