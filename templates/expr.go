package templates

import (
	"reflect"
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

// expr is a compiled expression. Of str, num and get the one that fits t is set;
// write is set when the value has been escaped.
type expr struct {
	t        reflect.Type
	str      func(*frame) string // text, text of a secret
	num      func(*frame) int    // number, truth
	get      func(*frame) reflect.Value
	write    op
	lit      bool // str is a constant
	dot      bool // it is the dot, or off bytes inside it
	field    bool // it is the text or number off bytes inside the dot
	off      uintptr
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
	return func(f *frame) value { return value{r: e.get(f)} }
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
		e.get = func(f *frame) reflect.Value { return get(f).r }
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
		e.get = func(f *frame) reflect.Value { return f.dot.r }
	}
	return e
}

func variableOf(v variable) expr {
	e, slot := expr{t: v.t}, v.slot
	switch v.t {
	case stringType, secretType:
		e.str = func(f *frame) string { return f.vars[f.base+slot].s }
	case intType, boolType:
		e.num = func(f *frame) int { return f.vars[f.base+slot].n }
	default:
		e.get = func(f *frame) reflect.Value { return f.vars[f.base+slot].r }
	}
	return e
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
	return func(f *frame) bool { return truth(value{r: e.get(f)}) }
}

func truthOf(t reflect.Type) func(value) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Map:
		return func(v value) bool { return v.r.IsValid() && v.r.Len() > 0 }
	case reflect.Pointer:
		return func(v value) bool { return v.r.IsValid() && !v.r.IsNil() }
	case reflect.Int, reflect.Bool:
		return func(v value) bool { return v.n != 0 }
	case reflect.String:
		return func(v value) bool { return v.s != "" }
	}
	if t == secretType {
		return func(v value) bool { return v.s != "" }
	}
	return func(value) bool { return true }
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
		if a.write != nil {
			a.write = nil
		}
		read = append(read, a.settings...)
	}
	make, ok := functions[id.Ident]
	if !ok {
		return expr{}, s.at(cmd).errorf("there is no function %q", id.Ident)
	}
	e, err := make(s.at(cmd), args)
	for _, name := range e.settings {
		s.c.use(name, s.at(cmd))
	}
	e.settings = append(read, e.settings...)
	return e, err
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

// fields follows names from a struct, or keys from a map.
func (s *scope) fields(n parse.Node, e expr, names []string) (expr, error) {
	for _, name := range names {
		var err error
		if e, err = s.field(n, e, name); err != nil {
			return e, err
		}
	}
	return e, nil
}

func (s *scope) field(n parse.Node, e expr, name string) (expr, error) {
	t := elem(e.t)
	at := s.at(n)
	switch {
	case t == mapType:
		get := e.get
		read := e.settings
		if len(read) > 0 && read[len(read)-1] == "vars" {
			read = append(read[:len(read)-1:len(read)-1], "vars."+name)
			s.c.use("vars."+name, at)
		}
		return expr{t: stringType, settings: read, str: func(f *frame) string {
			m, _ := get(f).Interface().(map[string]string)
			text, ok := m[name]
			if !ok {
				panic(at.errorf("there is no %s", name))
			}
			return text
		}}, nil
	case t == secretType && name == "IsZero":
		return expr{t: boolType, settings: e.settings, num: func(f *frame) int { return btoi(e.str(f) == "") }}, nil
	case t.Kind() != reflect.Struct || t == secretType:
		return expr{}, at.errorf("%s has no field %s", typeName(t), name)
	}
	sf, ok := t.FieldByName(name)
	if !ok || !sf.IsExported() {
		return expr{}, at.errorf("%s has no field %s", t.Name(), name)
	}
	out := fieldOf(e, sf, at)
	out.settings = e.settings
	if tag := sf.Tag.Get("setting"); tag != "" {
		out.settings = append(out.settings[:len(out.settings):len(out.settings)], tag)
		s.c.use(tag, at)
	}
	return out, nil
}

// fieldOf reads a field of the struct that e gives, or points to. The dot is where
// most fields are: its texts and numbers are read where they stand. That is safe:
// the types were compared when the template was compiled, value.p always points to a
// struct of the dot's type, and it keeps that struct alive. Reflection takes three
// times as long for it.
func fieldOf(e expr, sf reflect.StructField, at position) expr {
	i, get := sf.Index[0], e.get
	if e.dot && e.t.Kind() == reflect.Struct {
		off := e.off + sf.Offset
		switch {
		case sf.Type == stringType:
			return expr{t: sf.Type, field: true, off: off, str: func(f *frame) string { return *(*string)(unsafe.Add(f.dot.p, off)) }}
		case sf.Type == intType:
			return expr{t: sf.Type, field: true, off: off, num: func(f *frame) int { return *(*int)(unsafe.Add(f.dot.p, off)) }}
		case sf.Type.Kind() == reflect.Struct && sf.Type != secretType:
			return expr{t: sf.Type, dot: true, off: off, get: func(f *frame) reflect.Value { return get(f).Field(i) }}
		}
	}
	if e.t.Kind() == reflect.Pointer {
		get = func(f *frame) reflect.Value {
			p := e.get(f)
			if !p.IsValid() || p.IsNil() {
				panic(at.errorf("there is nothing that has a field %s", sf.Name))
			}
			return p.Elem()
		}
	}
	switch sf.Type {
	case stringType:
		return expr{t: sf.Type, str: func(f *frame) string { return get(f).Field(i).String() }}
	case intType:
		return expr{t: sf.Type, num: func(f *frame) int { return int(get(f).Field(i).Int()) }}
	case boolType:
		return expr{t: sf.Type, num: func(f *frame) int { return btoi(get(f).Field(i).Bool()) }}
	case secretType:
		return expr{t: sf.Type, str: func(f *frame) string {
			text, _ := secretOf(get(f).Field(i))
			return text
		}}
	}
	return expr{t: sf.Type, get: func(f *frame) reflect.Value { return get(f).Field(i) }}
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
