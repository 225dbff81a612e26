package templates

import "text/template/parse"

func (s *scope) ifs(b *block, n *parse.BranchNode) error {
	visible := len(s.vars)
	defer func() { s.vars = s.vars[:visible] }()
	cond, err := s.condition(b, n.Pipe)
	if err != nil {
		return err
	}
	test := b.add(cond.unless())
	if err := s.list(b, n.List); err != nil {
		return err
	}
	if n.ElseList == nil {
		b.steps[test].jump = b.label()
		return nil
	}
	over := b.add(step{code: codeJump})
	b.steps[test].jump = b.label()
	err = s.list(b, n.ElseList)
	b.steps[over].jump = b.label()
	return err
}

// condition compiles the pipeline of an if or with. When that sets a variable, the
// condition is the variable.
func (s *scope) condition(b *block, p *parse.PipeNode) (expr, error) {
	e, err := s.pipe(&parse.PipeNode{NodeType: p.NodeType, Pos: p.Pos, Line: p.Line, Cmds: p.Cmds})
	if err != nil || len(p.Decl) == 0 {
		return e, err
	}
	slot := s.add(p.Decl[0].Ident[0], e.t)
	b.add(step{code: codeDo, op: e.set(slot)})
	v := variableOf(variable{t: e.t, slot: slot})
	v.settings = e.settings
	return v, s.room(p)
}

func (s *scope) with(b *block, n *parse.BranchNode) error {
	visible, dot, from := len(s.vars), s.dot, s.from
	defer func() { s.vars, s.dot, s.from = s.vars[:visible], dot, from }()
	cond, err := s.condition(b, n.Pipe)
	if err != nil {
		return err
	}
	s.dot, s.from = elem(cond.t), cond.settings
	yes, err := s.body(n.List)
	if err != nil {
		return err
	}
	s.dot, s.from = dot, from
	no, err := s.body(n.ElseList)
	if err != nil {
		return err
	}
	eval, truth := cond.value(), truthOf(cond.t)
	b.add(step{code: codeDo, op: func(f *frame) flow {
		v := eval(f)
		if !truth(v) {
			return run(no, f)
		}
		was := f.dot
		f.dot = v
		r := run(yes, f)
		f.dot = was
		return r
	}})
	return nil
}

func (s *scope) call(b *block, n *parse.TemplateNode) error {
	if _, ok := s.c.trees[n.Name]; !ok {
		return s.at(n).errorf("there is no template %.60q", n.Name)
	}
	if n.Pipe == nil {
		return s.at(n).errorf("template %.60q needs a value: {{template %.60q .}}", n.Name, n.Name)
	}
	arg, err := s.pipe(n.Pipe)
	if err != nil {
		return err
	}
	p, err := s.c.program(n.Name, elem(arg.t))
	if err != nil {
		return err
	}
	eval, at, read := arg.value(), s.at(n), arg.settings
	o := func(f *frame) flow {
		f.turn(&at)
		v := eval(f)
		if v.p == nil && arg.ptr != nil {
			panic(at.errorf("there is nothing to call it with"))
		}
		was := f.enter(p, v)
		run(p.steps, f)
		f.leave(was)
		return next
	}
	if s.c.traced {
		o = tracedCall(o, read)
	}
	b.add(step{code: codeDo, op: o})
	return nil
}
