package templates

import (
	"reflect"
	"unsafe"

	"pbx.dev/dialtone/internal/phone"
)

// value is a value of a type that is known when the template is compiled: s for a
// text or the text of a secret, n for a number or a truth, p for the rest: where it
// stands, or what it points to when it is a pointer, nil: nothing.
//
// Reading by address is safe: the types were compared when the template was
// compiled, p always points to a value of the compiled type, and it keeps what it
// stands in alive. Reflection takes three times as long for it.
type value struct {
	s       string
	n       int
	p       unsafe.Pointer
	subject subject
}

// subject says of a value what Explain wants to know: is it a line or a key, whose
// number the names of settings have.
type subject uint8

const (
	noSubject subject = iota
	lineSubject
	keySubject
)

func subjectOf(t reflect.Type) subject {
	switch t {
	case reflect.TypeFor[Line]():
		return lineSubject
	case reflect.TypeFor[Key]():
		return keySubject
	}
	return noSubject
}

// loader reads a value of type t that stands at an address.
func loader(t reflect.Type) func(unsafe.Pointer) value {
	switch t {
	case stringType:
		return func(p unsafe.Pointer) value { return value{s: *(*string)(p)} }
	case secretType:
		return func(p unsafe.Pointer) value { return value{s: (*phone.Secret)(p).Reveal()} }
	case intType:
		return func(p unsafe.Pointer) value { return value{n: *(*int)(p)} }
	case boolType:
		return func(p unsafe.Pointer) value { return value{n: btoi(*(*bool)(p))} }
	}
	if t.Kind() == reflect.Pointer {
		of := subjectOf(t.Elem())
		return func(p unsafe.Pointer) value { return value{p: *(*unsafe.Pointer)(p), subject: of} }
	}
	of := subjectOf(t)
	return func(p unsafe.Pointer) value { return value{p: p, subject: of} }
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// lengthOf is that of the list, of whatever type, that stands at p; nil: none.
func lengthOf(p unsafe.Pointer) int {
	if p == nil {
		return 0
	}
	return len(*(*[]struct{})(p))
}

// elements is where the elements of the list at p begin.
func elements(p unsafe.Pointer) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(*(*[]struct{})(p)))
}

// textsAt is the map that stands at p; nil: none.
func textsAt(p unsafe.Pointer) map[string]string {
	if p == nil {
		return nil
	}
	return *(*map[string]string)(p)
}

// truthOf is whether a value of type t is something: not empty, not zero, not
// nothing.
func truthOf(t reflect.Type) func(value) bool {
	switch t {
	case stringType, secretType:
		return func(v value) bool { return v.s != "" }
	case intType, boolType:
		return func(v value) bool { return v.n != 0 }
	}
	switch t.Kind() {
	case reflect.Slice:
		return func(v value) bool { return lengthOf(v.p) > 0 }
	case reflect.Map:
		return func(v value) bool { return len(textsAt(v.p)) > 0 }
	case reflect.Pointer:
		return func(v value) bool { return v.p != nil }
	}
	return func(value) bool { return true }
}
