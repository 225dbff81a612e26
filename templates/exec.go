package templates

import (
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"
)

// The most that rendering one file may take.
const (
	maxBytes  = 1 << 20
	maxTurns  = 200_000         // of loops, and calls of templates
	maxMade   = 16 * maxBytes   // of texts and lists that functions return, each at most maxBytes
	maxSpans  = 200_000         // pieces of a traced rendering
	maxTime   = 2 * time.Second // looked at every so many steps
	lookEvery = 2048            // steps between two looks at the clock
)

// What a file is refused for that takes more.
var (
	tooLarge = fmt.Sprintf("the file would be larger than %d MB", maxBytes>>20)
	tooMany  = fmt.Sprintf("the file takes more than %d turns of loops and calls of templates", maxTurns)
	tooLong  = fmt.Sprintf("the file takes longer than %s", maxTime)
	tooMuch  = fmt.Sprintf("its functions make a text larger than %d MB or more than %d MB in all", maxBytes>>20, maxMade>>20)
)

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
	steps   []step
	slots   int // variables
	subject subject
}

// frame is one rendering in progress. It is done by the goroutine that asked for
// it: what ends a rendering that takes too much is the rendering itself.
type frame struct {
	out   []byte
	dot   value
	vars  []value
	base  int // first variable of the running template
	keys  []string
	own   View // what is rendered, so that it is not on the heap on its own
	view  *View
	turns int
	left  int       // steps until the clock is looked at
	made  int       // bytes of texts on the way
	at    *position // of the step at hand, roughly; nil: not known
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
	f.work(p.slots)
	f.vars[f.base] = dot
	f.dot = dot
	return was
}

func (f *frame) leave(was saved) {
	clear(f.vars[was.vars:])
	f.dot, f.base, f.vars = was.dot, was.base, f.vars[:was.vars]
}

// turn counts a turn of a loop or a call and ends a rendering that takes too many.
func (f *frame) turn(at *position) {
	f.turns++
	if f.turns > maxTurns {
		panic(at.errorf("%s", tooMany))
	}
}

// work counts steps and looks at the clock now and then.
func (f *frame) work(n int) {
	f.left -= n
	if f.left < 0 {
		f.look()
	}
}

func (f *frame) look() {
	if time.Now().After(f.until) {
		panic(f.refuse(tooLong))
	}
	f.left = lookEvery
}

func (f *frame) refuse(reason string) *Error {
	if f.at == nil {
		return &Error{Reason: reason}
	}
	return f.at.errorf("%s", reason)
}

// text counts what a function has made on the way to the file.
func (f *frame) text(s string) string {
	f.grow(len(s))
	return s
}

// grow counts n bytes on the way to the file, before or after they are made.
func (f *frame) grow(n int) {
	f.made += n
	if n > maxBytes || f.made > maxMade {
		panic(f.refuse(tooMuch))
	}
	f.work(n >> 6)
}

// What a frame may keep for the next rendering.
const (
	keptVars = 4096
	keptKeys = 4096
)

var frames = sync.Pool{New: func() any { return &frame{out: make([]byte, 0, 16<<10), vars: make([]value, 0, 32)} }}

// release gives f back without anything that belongs to a phone.
func (f *frame) release() {
	if cap(f.out) > maxBytes || cap(f.vars) > keptVars || cap(f.keys) > keptKeys {
		return
	}
	clear(f.out)
	clear(f.vars[:cap(f.vars)])
	clear(f.keys[:cap(f.keys)])
	*f = frame{out: f.out[:0], vars: f.vars[:0], keys: f.keys[:0]}
	frames.Put(f)
}

// file renders the file that the template called name gives for v: it is in the out
// of the frame, which the caller releases. What was left of one that failed is not
// used again.
func (p *program) file(name string, v *View) (*frame, error) {
	f, _ := frames.Get().(*frame)
	if err := p.execute(f, v, time.Now().Add(maxTime)); err != nil {
		var e *Error
		if errors.As(err, &e) && e.Name == "" {
			e.Name = name
		}
		return nil, err
	}
	return f, nil
}

// execute runs p over v.
func (p *program) execute(f *frame, v *View, until time.Time) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	f.own = *v
	f.view, f.until, f.left = &f.own, until, lookEvery
	f.enter(p, value{p: unsafe.Pointer(f.view)})
	run(p.steps, f)
	return nil
}
