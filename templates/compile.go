package templates

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template/parse"
)

// Templates are text/template's language, parsed by its parser, and compiled here to
// a list of small functions that append to one buffer. The types of View are known
// when a template is loaded, so a name that does not exist, a value that cannot be
// written and a wrong argument are errors then and not when a phone asks.
//
// Not in the language: methods, calls of function values, complex numbers and
// floats, the functions html, js, urlquery, slice and call.

// op does one step; it reports whether the loop around it has to end.
type op func(f *frame) flow

type flow uint8

const (
	next flow = iota
	breakLoop
	continueLoop
)

// program is one template compiled for one type of dot.
type program struct {
	ops   []op
	slots int // variables
}

// compiler compiles the templates of one vendor.
type compiler struct {
	trees   map[string]*parse.Tree
	sources map[string]string
	dialect dialect
	done    map[programKey]*program
	raw     []string                // files that ask for "raw"
	traced  bool                    // programs say which template line wrote what
	uses    map[string]map[Use]bool // by setting; nil: not asked for
}

type programKey struct {
	name string
	dot  reflect.Type
}

// scope is what a node sees: the dot's type, the type of $ and the variables.
type scope struct {
	c    *compiler
	name string // of the template
	dot  reflect.Type
	from []string // settings that the dot is made of, for explain
	vars []variable
	prog *program
	loop bool
}

type variable struct {
	name string
	t    reflect.Type
	slot int
}

// position is a place in a template.
type position struct {
	name      string
	line, col int
}

func (p position) errorf(format string, args ...any) *Error {
	return &Error{Name: p.name, Line: p.line, Column: p.col, Reason: fmt.Sprintf(format, args...)}
}

// at is the place of a node: templates that a file defines stand in that file.
func (s *scope) at(n parse.Node) position {
	tree := s.c.trees[s.name]
	return place(tree.ParseName, s.c.sources[tree.ParseName], int(n.Position()))
}

func place(name, text string, pos int) position {
	before := text[:min(max(pos, 0), len(text))]
	return position{name, 1 + strings.Count(before, "\n"), len(before) - strings.LastIndexByte(before, '\n')}
}

// program compiles the template name for a dot of type dot, once.
func (c *compiler) program(name string, dot reflect.Type) (*program, error) {
	key := programKey{name, dot}
	if p, ok := c.done[key]; ok {
		return p, nil
	}
	tree := c.trees[name]
	p := &program{slots: 1}
	c.done[key] = p
	s := &scope{c: c, name: name, dot: dot, prog: p, vars: []variable{{"$", dot, 0}}}
	ops, err := s.list(tree.Root)
	p.ops = ops
	return p, err
}

func (s *scope) list(l *parse.ListNode) ([]op, error) {
	if l == nil {
		return nil, nil
	}
	visible := len(s.vars)
	defer func() { s.vars = s.vars[:visible] }()
	var ops []op
	for i, n := range l.Nodes {
		o, err := s.node(n)
		if err != nil {
			return nil, err
		}
		if o == nil {
			continue
		}
		if text, ok := textBefore(l.Nodes, i); ok && !s.c.traced {
			ops[len(ops)-1] = fused(text, o)
			continue
		}
		ops = append(ops, o)
	}
	return ops, nil
}

// textBefore is the text right before an action: the two are one step.
func textBefore(nodes []parse.Node, i int) (string, bool) {
	if _, ok := nodes[i].(*parse.ActionNode); !ok || i == 0 {
		return "", false
	}
	t, ok := nodes[i-1].(*parse.TextNode)
	if !ok || len(t.Text) == 0 {
		return "", false
	}
	return string(t.Text), true
}

func fused(text string, o op) op {
	return func(f *frame) flow {
		f.out = append(f.out, text...)
		return o(f)
	}
}

func (s *scope) node(n parse.Node) (op, error) {
	switch n := n.(type) {
	case *parse.TextNode:
		return s.text(n), nil
	case *parse.ActionNode:
		return s.action(n)
	case *parse.IfNode:
		return s.branch(&n.BranchNode, false)
	case *parse.WithNode:
		return s.branch(&n.BranchNode, true)
	case *parse.RangeNode:
		return s.rangeOver(n)
	case *parse.TemplateNode:
		return s.call(n)
	case *parse.BreakNode:
		return func(*frame) flow { return breakLoop }, s.inLoop(n)
	case *parse.ContinueNode:
		return func(*frame) flow { return continueLoop }, s.inLoop(n)
	case *parse.CommentNode:
		return nil, nil
	}
	return nil, s.at(n).errorf("%T is not understood", n)
}

func (s *scope) inLoop(n parse.Node) error {
	if !s.loop {
		return s.at(n).errorf("outside a range")
	}
	return nil
}

func (s *scope) text(n *parse.TextNode) op {
	if len(n.Text) == 0 {
		return nil
	}
	text := string(n.Text)
	write := func(f *frame) flow {
		f.out = append(f.out, text...)
		return next
	}
	return s.trace(n, nil, write)
}

// action writes a pipeline's value or sets a variable. The rewriter has put an
// escaper at the end of all that write.
func (s *scope) action(n *parse.ActionNode) (op, error) {
	if len(n.Pipe.Decl) > 0 {
		return s.declare(n.Pipe)
	}
	e, err := s.pipe(n.Pipe)
	if err != nil {
		return nil, err
	}
	if e.write == nil {
		return nil, s.at(n).errorf("an action does not end in an escaper")
	}
	return s.trace(n, e.settings, e.write), nil
}

func (s *scope) declare(p *parse.PipeNode) (op, error) {
	if len(p.Decl) != 1 {
		return nil, s.at(p).errorf("only a range sets two variables")
	}
	e, err := s.pipe(&parse.PipeNode{NodeType: p.NodeType, Pos: p.Pos, Line: p.Line, Cmds: p.Cmds})
	if err != nil {
		return nil, err
	}
	name := p.Decl[0].Ident[0]
	var slot int
	if p.IsAssign {
		v, ok := s.find(name)
		if !ok || v.t != e.t {
			return nil, s.at(p).errorf("%s cannot be set to %s", name, typeName(e.t))
		}
		slot = v.slot
	} else {
		slot = s.add(name, e.t)
	}
	eval := e.value()
	return func(f *frame) flow {
		f.vars[f.base+slot] = eval(f)
		return next
	}, nil
}

func (s *scope) add(name string, t reflect.Type) int {
	slot := s.prog.slots
	s.prog.slots++
	s.vars = append(s.vars, variable{name, t, slot})
	return slot
}

func (s *scope) find(name string) (variable, bool) {
	for _, v := range slices.Backward(s.vars) {
		if v.name == name {
			return v, true
		}
	}
	return variable{}, false
}

// branch is if and with.
func (s *scope) branch(b *parse.BranchNode, with bool) (op, error) {
	visible := len(s.vars)
	defer func() { s.vars = s.vars[:visible] }()
	cond, slot, err := s.condition(b.Pipe)
	if err != nil {
		return nil, err
	}
	dot, from := s.dot, s.from
	if with {
		s.dot, s.from = elem(cond.t), cond.settings
	}
	yes, err := s.list(b.List)
	s.dot, s.from = dot, from
	if err != nil {
		return nil, err
	}
	no, err := s.list(b.ElseList)
	if err != nil {
		return nil, err
	}
	eval, truth := cond.value(), truthOf(cond.t)
	if !with && slot < 0 {
		test := cond.test()
		return func(f *frame) flow {
			if test(f) {
				return run(yes, f)
			}
			return run(no, f)
		}, nil
	}
	return func(f *frame) flow {
		v := eval(f)
		if slot >= 0 {
			f.vars[f.base+slot] = v
		}
		if !truth(v) {
			return run(no, f)
		}
		if !with {
			return run(yes, f)
		}
		saved := f.dot
		f.dot = v.asDot()
		r := run(yes, f)
		f.dot = saved
		return r
	}, nil
}

// condition compiles the pipeline of an if or with; slot is that of the variable it
// sets, -1: none.
func (s *scope) condition(p *parse.PipeNode) (e expr, slot int, err error) {
	e, err = s.pipe(&parse.PipeNode{NodeType: p.NodeType, Pos: p.Pos, Line: p.Line, Cmds: p.Cmds})
	if err != nil {
		return e, -1, err
	}
	if len(p.Decl) == 0 {
		return e, -1, nil
	}
	return e, s.add(p.Decl[0].Ident[0], e.t), nil
}

func (s *scope) call(n *parse.TemplateNode) (op, error) {
	if _, ok := s.c.trees[n.Name]; !ok {
		return nil, s.at(n).errorf("there is no template %q", n.Name)
	}
	if n.Pipe == nil {
		return nil, s.at(n).errorf("template %q needs a value: {{template %q .}}", n.Name, n.Name)
	}
	arg, err := s.pipe(n.Pipe)
	if err != nil {
		return nil, err
	}
	p, err := s.c.program(n.Name, elem(arg.t))
	if err != nil {
		return nil, err
	}
	eval, at, read := arg.value(), s.at(n), arg.settings
	o := func(f *frame) flow {
		f.step(at)
		v := eval(f).asDot()
		saved := f.enter(p, v)
		run(p.ops, f)
		f.leave(saved)
		return next
	}
	if !s.c.traced {
		return o, nil
	}
	return func(f *frame) flow {
		before := f.reads
		f.reads = append(f.reads[:len(f.reads):len(f.reads)], f.numbered(read)...)
		r := o(f)
		f.reads = before
		return r
	}, nil
}

// run does the steps of a body.
func run(ops []op, f *frame) flow {
	for _, o := range ops {
		if r := o(f); r != next {
			return r
		}
	}
	return next
}
