package templates

import (
	"reflect"
	"sync"
	"time"
	"unsafe"

	"pbx.dev/dialtone/internal/phone"
)

// The most that rendering one file may take.
const (
	maxBytes = 1 << 20
	maxSteps = 200_000         // one per turn of a loop and call of a template
	maxTime  = 2 * time.Second // looked at every 1024 steps
)

// value is a value of a type that is known when the template is compiled: s for a
// text or the text of a secret, n for a number or a truth, r for the rest.
type value struct {
	s string
	n int
	r reflect.Value
	p unsafe.Pointer // to the struct that r is, when the value is a dot
}

// asDot follows a pointer, so that the dot is the struct.
func (v value) asDot() value {
	if v.r.IsValid() && v.r.Kind() == reflect.Pointer {
		v.r = v.r.Elem()
	}
	if v.r.IsValid() && v.r.Kind() == reflect.Struct {
		v.p = v.r.Addr().UnsafePointer()
	}
	return v
}

func ofReflect(r reflect.Value) value {
	switch r.Kind() {
	case reflect.String:
		return value{s: r.String()}
	case reflect.Int:
		return value{n: int(r.Int())}
	case reflect.Bool:
		return value{n: btoi(r.Bool())}
	}
	if s, ok := secretOf(r); ok {
		return value{s: s}
	}
	return value{r: r}.asDot()
}

func secretOf(r reflect.Value) (string, bool) {
	if r.Type() != secretType {
		return "", false
	}
	s, _ := r.Addr().Interface().(*phone.Secret)
	return s.Reveal(), true
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// frame is one rendering in progress.
type frame struct {
	out   []byte
	dot   value
	vars  []value
	base  int // first variable of the running template
	keys  []string
	view  *View
	steps int
	until time.Time
	spans []span   // of a traced rendering
	reads []string // settings that the running template was called with
}

// saved is what a template call puts back.
type saved struct {
	dot  value
	base int
	vars int
}

func (f *frame) enter(p *program, dot value) saved {
	was := saved{f.dot, f.base, len(f.vars)}
	f.base = len(f.vars)
	for range p.slots {
		f.vars = append(f.vars, value{})
	}
	f.vars[f.base] = dot
	f.dot = dot
	return was
}

func (f *frame) leave(was saved) {
	clear(f.vars[was.vars:])
	f.dot, f.base, f.vars = was.dot, was.base, f.vars[:was.vars]
}

// step counts a turn of a loop or a call and ends a rendering that takes too much.
func (f *frame) step(at position) {
	f.steps++
	if f.steps > maxSteps || len(f.out) > maxBytes || f.steps&1023 == 0 && time.Now().After(f.until) {
		panic(at.errorf("the file would be larger than 1 MB or take too many steps"))
	}
}

var frames = sync.Pool{New: func() any { return &frame{out: make([]byte, 0, 16<<10), vars: make([]value, 0, 32)} }}

// release gives f back without anything that belongs to a phone.
func (f *frame) release() {
	clear(f.out)
	clear(f.vars[:cap(f.vars)])
	clear(f.keys[:cap(f.keys)])
	*f = frame{out: f.out[:0], vars: f.vars[:0], keys: f.keys[:0]}
	if cap(f.out) <= maxBytes {
		frames.Put(f)
	}
}

// execute runs p over v and calls done with the whole output.
func (p *program) execute(f *frame, v *View) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	f.view, f.until = v, time.Now().Add(maxTime)
	f.enter(p, value{r: reflect.ValueOf(v)}.asDot())
	run(p.ops, f)
	if len(f.out) > maxBytes {
		return &Error{Reason: "the file would be larger than 1 MB or take too many steps"}
	}
	return nil
}
