package templates

import (
	"reflect"
	"slices"
	"text/template/parse"
	"unsafe"
)

// rangeOver compiles a range over a list, a map of texts in the order of its keys,
// or the numbers below a number.
func (s *scope) rangeOver(b *block, n *parse.RangeNode) error {
	p := n.Pipe
	over, err := s.pipe(&parse.PipeNode{NodeType: p.NodeType, Pos: p.Pos, Line: p.Line, Cmds: p.Cmds})
	if err != nil {
		return err
	}
	key, value, ok := rangeTypes(over.t)
	if !ok || p.IsAssign {
		return s.at(n).errorf("cannot range over %s", typeName(over.t))
	}
	l := loop{over: over.value(), slots: [2]int{-1, -1}, at: s.at(n), size: value.Size()}
	visible, dot, in := len(s.vars), s.dot, s.loop
	switch len(p.Decl) {
	case 1:
		l.slots[1] = s.add(p.Decl[0].Ident[0], value)
	case 2:
		l.slots[0] = s.add(p.Decl[0].Ident[0], key)
		l.slots[1] = s.add(p.Decl[1].Ident[0], value)
	}
	s.dot, s.loop = elem(value), true
	l.body, err = s.body(n.List)
	s.vars, s.dot, s.loop = s.vars[:visible], dot, in
	if err != nil {
		return err
	}
	if l.none, err = s.body(n.ElseList); err != nil {
		return err
	}
	b.add(step{code: codeDo, op: l.of(over.t)})
	return nil
}

func rangeTypes(t reflect.Type) (key, value reflect.Type, ok bool) {
	switch {
	case t.Kind() == reflect.Int:
		return intType, intType, true
	case t.Kind() == reflect.Slice:
		return intType, t.Elem(), true
	case t == mapType:
		return stringType, stringType, true
	}
	return nil, nil, false
}

// loop is a compiled range.
type loop struct {
	over       func(*frame) value
	load       func(unsafe.Pointer) value // an element of a list
	size       uintptr                    // of an element
	bare       bool                       // elements are structs, and no variables are set to them
	subject    subject                    // of an element
	slots      [2]int                     // variables for the key and the value; -1: none
	body, none []step
	at         position
}

func (l *loop) of(t reflect.Type) op {
	switch t.Kind() {
	case reflect.Int:
		return l.overNumber
	case reflect.Map:
		return l.overMap
	}
	l.load, l.subject = loader(t.Elem()), subjectOf(t.Elem())
	l.bare = t.Elem().Kind() == reflect.Struct && t.Elem() != secretType && l.slots == [2]int{-1, -1}
	return l.overSlice
}

func (l *loop) overSlice(f *frame) flow {
	list := l.over(f).p
	n := lengthOf(list)
	if n == 0 {
		return run(l.none, f)
	}
	saved, at := f.dot, elements(list)
	for i := range n {
		if l.bare {
			f.turn(&l.at)
			f.dot.p, f.dot.subject = at, l.subject
			if run(l.body, f) == breakLoop {
				break
			}
		} else if !l.once(f, value{n: i}, l.load(at)) {
			break
		}
		if i < n-1 { // never an address behind the last one
			at = unsafe.Add(at, l.size)
		}
	}
	f.dot = saved
	return next
}

func (l *loop) overNumber(f *frame) flow {
	n := l.over(f).n
	if n <= 0 {
		return run(l.none, f)
	}
	saved := f.dot
	for i := range n {
		if !l.once(f, value{n: i}, value{n: i}) {
			break
		}
	}
	f.dot = saved
	return next
}

func (l *loop) overMap(f *frame) flow {
	m := textsAt(l.over(f).p)
	if len(m) == 0 {
		return run(l.none, f)
	}
	saved := f.dot
	keys := f.keys[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	f.keys = nil // a range inside this one takes its own
	f.grow(16 * len(keys))
	for _, k := range keys {
		if !l.once(f, value{s: k}, value{s: m[k]}) {
			break
		}
	}
	f.keys = keys
	f.dot = saved
	return next
}

// once runs the body for one element; false ends the loop.
func (l *loop) once(f *frame, key, v value) bool {
	f.turn(&l.at)
	if l.slots[0] >= 0 {
		f.vars[f.base+l.slots[0]] = key
	}
	if l.slots[1] >= 0 {
		f.vars[f.base+l.slots[1]] = v
	}
	f.dot = v
	return run(l.body, f) != breakLoop
}
