package templates

import (
	"reflect"
	"text/template/parse"
	"unsafe"

	"pbx.dev/dialtone/internal/phone"
)

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
		ptr := e.ptr
		read := e.settings
		if len(read) > 0 && read[len(read)-1] == "vars" {
			read = append(read[:len(read)-1:len(read)-1], "vars."+name)
			s.c.use("vars."+name, at)
		}
		return expr{t: stringType, settings: read, str: func(f *frame) string {
			text, ok := textsAt(ptr(f))[name]
			if !ok {
				panic(at.errorf("there is no %.40s", name))
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
// most fields are: their place in it is known now, however deep they are.
func fieldOf(e expr, sf reflect.StructField, at position) expr {
	out := expr{t: sf.Type, off: sf.Offset}
	where := e.ptr
	if e.dot {
		out.off += e.off
		where = func(f *frame) unsafe.Pointer { return f.dot.p }
	}
	if e.t.Kind() == reflect.Pointer {
		where = func(f *frame) unsafe.Pointer {
			p := e.ptr(f)
			if p == nil {
				panic(at.errorf("there is nothing that has a field %s", sf.Name))
			}
			return p
		}
	}
	off := out.off
	switch sf.Type {
	case stringType:
		out.str, out.field = func(f *frame) string { return textAt(where(f), off) }, e.dot
	case intType:
		out.num, out.field = func(f *frame) int { return numberAt(where(f), off) }, e.dot
	case boolType:
		out.num = func(f *frame) int { return btoi(*(*bool)(unsafe.Add(where(f), off))) }
	case secretType:
		out.str = func(f *frame) string { return (*phone.Secret)(unsafe.Add(where(f), off)).Reveal() }
	default:
		out.dot = e.dot && sf.Type.Kind() == reflect.Struct
		out.ptr = func(f *frame) unsafe.Pointer { return unsafe.Add(where(f), off) }
		if sf.Type.Kind() == reflect.Pointer {
			out.ptr = func(f *frame) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Add(where(f), off)) }
		}
	}
	return out
}
