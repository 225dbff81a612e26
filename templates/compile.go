package templates

import (
	"fmt"
	"reflect"
	"slices"
	"text/template/parse"
)

// Templates are text/template's language, parsed by its parser, and compiled here to
// a list of steps (step.go) that append to one buffer. The types of View are known
// when a template is loaded, so a name that does not exist, a value that cannot be
// written and a wrong argument are errors then and not when a phone asks.
//
// Not in the language: methods, calls of function values, complex numbers and
// floats, the functions html, js, urlquery, slice and call.

// compiler compiles the templates of one vendor.
type compiler struct {
	trees   map[string]*parse.Tree
	sources map[string]string
	dialect dialect
	done    map[programKey]*program
	raw     []string                // files that ask for "raw"
	traced  bool                    // programs say which template line wrote what
	steps   int                     // compiled so far
	calls   int                     // of functions in the action at hand
	lines   map[string][]int        // by file, where each line but the first begins
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
	return &Error{Name: p.name, Line: p.line, Column: p.col, Reason: clip(fmt.Sprintf(format, args...))}
}

// at is the place of a node: templates that a file defines stand in that file.
func (s *scope) at(n parse.Node) position {
	return s.c.place(s.c.trees[s.name].ParseName, int(n.Position()))
}

// place is a position in the text of a file.
func (c *compiler) place(file string, pos int) position {
	starts, ok := c.lines[file]
	if !ok {
		for i, b := range []byte(c.sources[file]) {
			if b == '\n' {
				starts = append(starts, i+1)
			}
		}
		c.lines[file] = starts
	}
	line, found := slices.BinarySearch(starts, pos)
	if found {
		line++
	}
	start := 0
	if line > 0 {
		start = starts[line-1]
	}
	return position{file, 1 + line, pos - start + 1}
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
	steps, err := s.body(tree.Root)
	p.steps, p.subject = steps, subjectOf(dot)
	return p, err
}

// body compiles a list to steps of its own.
func (s *scope) body(l *parse.ListNode) ([]step, error) {
	b := &block{}
	err := s.list(b, l)
	b.label()
	s.mark(b, 0, position{name: s.c.trees[s.name].ParseName})
	return b.steps, err
}

func (s *scope) list(b *block, l *parse.ListNode) error {
	if l == nil {
		return nil
	}
	visible := len(s.vars)
	defer func() { s.vars = s.vars[:visible] }()
	for _, n := range l.Nodes {
		from := len(b.steps)
		s.c.calls = 0
		if err := s.node(b, n); err != nil {
			return err
		}
		at := s.at(n)
		s.mark(b, from, at)
		if s.c.steps++; s.c.steps > maxProgram {
			return at.errorf("the templates have more than %d parts", maxProgram)
		}
	}
	return nil
}

// mark says of the steps from one on where they stand, if they do not know yet.
func (s *scope) mark(b *block, from int, at position) {
	for i := from; i < len(b.steps); i++ {
		if b.steps[i].at == nil {
			b.steps[i].at = &at
		}
	}
}

// What a template may have at most.
const (
	maxProgram   = 100_000 // texts, actions and the like in the templates of a vendor
	maxVariables = 1000    // in one template
)

func (s *scope) node(b *block, n parse.Node) error {
	switch n := n.(type) {
	case *parse.TextNode:
		s.text(b, n)
		return nil
	case *parse.ActionNode:
		return s.action(b, n)
	case *parse.IfNode:
		return s.ifs(b, &n.BranchNode)
	case *parse.WithNode:
		return s.with(b, &n.BranchNode)
	case *parse.RangeNode:
		return s.rangeOver(b, n)
	case *parse.TemplateNode:
		return s.call(b, n)
	case *parse.BreakNode:
		b.add(step{code: codeDo, op: func(*frame) flow { return breakLoop }})
		return s.inLoop(n)
	case *parse.ContinueNode:
		b.add(step{code: codeDo, op: func(*frame) flow { return continueLoop }})
		return s.inLoop(n)
	case *parse.CommentNode:
		return nil
	}
	return s.at(n).errorf("%T is not understood", n)
}

func (s *scope) inLoop(n parse.Node) error {
	if !s.loop {
		return s.at(n).errorf("outside a range")
	}
	return nil
}

func (s *scope) text(b *block, n *parse.TextNode) {
	if !s.c.traced {
		b.text = append(b.text, n.Text...)
		return
	}
	text := string(n.Text)
	b.add(step{code: codeDo, op: s.trace(n, nil, func(f *frame) flow {
		f.out = append(f.out, text...)
		return next
	})})
}

// action writes a pipeline's value or sets a variable. The rewriter has put an
// escaper at the end of all that write.
func (s *scope) action(b *block, n *parse.ActionNode) error {
	if len(n.Pipe.Decl) > 0 {
		return s.declare(b, n.Pipe)
	}
	e, err := s.pipe(n.Pipe)
	switch {
	case err != nil:
		return err
	case e.write == nil:
		return s.at(n).errorf("an action does not end in an escaper")
	case s.c.traced:
		b.add(step{code: codeDo, op: s.trace(n, e.settings, e.write)})
	case e.lit:
		b.text = append(b.text, e.str(nil)...)
	case e.fast.code != codeText:
		b.add(e.fast)
	default:
		b.add(step{code: codeDo, op: e.write})
	}
	return nil
}

func (s *scope) declare(b *block, p *parse.PipeNode) error {
	if len(p.Decl) != 1 {
		return s.at(p).errorf("only a range sets two variables")
	}
	e, err := s.pipe(&parse.PipeNode{NodeType: p.NodeType, Pos: p.Pos, Line: p.Line, Cmds: p.Cmds})
	if err != nil {
		return err
	}
	name := p.Decl[0].Ident[0]
	var slot int
	if p.IsAssign {
		v, ok := s.find(name)
		if !ok || v.t != e.t {
			return s.at(p).errorf("%.40s cannot be set to %s", name, typeName(e.t))
		}
		slot = v.slot
	} else {
		slot = s.add(name, e.t)
	}
	b.add(step{code: codeDo, op: e.set(slot)})
	return s.room(p)
}

func (s *scope) add(name string, t reflect.Type) int {
	slot := s.prog.slots
	s.prog.slots++
	s.vars = append(s.vars, variable{name, t, slot})
	return slot
}

// room refuses a template with too many variables.
func (s *scope) room(n parse.Node) error {
	if s.prog.slots > maxVariables {
		return s.at(n).errorf("the template has more than %d variables", maxVariables)
	}
	return nil
}

func (s *scope) find(name string) (variable, bool) {
	for _, v := range slices.Backward(s.vars) {
		if v.name == name {
			return v, true
		}
	}
	return variable{}, false
}
