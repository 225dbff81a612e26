package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// checkShape compares a parsed JSON value with the Go type it is meant for and
// reports every unknown field and wrong type with its path. encoding/json alone
// would stop at the first, not name the path, and take names in any case.
func checkShape(meantFor, value any) error {
	return errors.Join(shapeErrors("", reflect.TypeOf(meantFor).Elem(), value)...)
}

// shapeErrors knows the types that bodies are made of: structs, slices, maps of
// strings, texts, whole numbers, truths and times, and pointers to them. null fits
// everything.
func shapeErrors(path string, t reflect.Type, value any) []error {
	if value == nil {
		return nil
	}
	if t == reflect.TypeFor[time.Time]() {
		return scalarError(path, "a time such as 2026-01-31T12:00:00Z", isTime(value))
	}
	switch t.Kind() {
	case reflect.Struct:
		return objectErrors(path, value, func(name string) reflect.Type { return fieldType(t, name) })
	case reflect.Map:
		return objectErrors(path, value, func(string) reflect.Type { return t.Elem() })
	case reflect.Slice:
		return listErrors(path, t.Elem(), value)
	case reflect.Pointer:
		return shapeErrors(path, t.Elem(), value)
	case reflect.Bool:
		_, ok := value.(bool)
		return scalarError(path, "true or false", ok)
	case reflect.Int:
		return scalarError(path, "a whole number", isWhole(value))
	}
	_, ok := value.(string)
	return scalarError(path, "a text", ok)
}

func objectErrors(path string, value any, typeOf func(name string) reflect.Type) []error {
	object, ok := value.(map[string]any)
	if !ok {
		return scalarError(path, "an object", false)
	}
	var all []error
	for _, name := range slices.Sorted(maps.Keys(object)) {
		inner := strings.TrimPrefix(path+"."+clip(name), ".")
		t := typeOf(name)
		if t == nil {
			all = append(all, phone.Invalid(inner, "is not a field of this request"))
			continue
		}
		all = append(all, shapeErrors(inner, t, object[name])...)
	}
	return bounded(all)
}

func listErrors(path string, t reflect.Type, value any) []error {
	list, ok := value.([]any)
	if !ok {
		return scalarError(path, "a list", false)
	}
	var all []error
	for i, v := range list {
		inner := path + "[" + strconv.Itoa(i) + "]"
		if v == nil {
			all = append(all, phone.Invalid(inner, "must not be null"))
			continue
		}
		all = append(all, shapeErrors(inner, t, v)...)
	}
	return bounded(all)
}

// bounded keeps the answer to a large wrong body small.
func bounded(all []error) []error {
	const most = 50
	return all[:min(len(all), most)]
}

func scalarError(path, want string, ok bool) []error {
	if ok {
		return nil
	}
	return []error{phone.Invalid(path, fmt.Sprintf("must be %s", want))}
}

// fieldType finds the field with this very JSON name; nil is none.
func fieldType(t reflect.Type, name string) reflect.Type {
	for i := range t.NumField() {
		tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if tag == name {
			return t.Field(i).Type
		}
		if t.Field(i).Anonymous {
			if inner := fieldType(t.Field(i).Type, name); inner != nil {
				return inner
			}
		}
	}
	return nil
}

func isWhole(v any) bool {
	n, ok := v.(json.Number)
	if !ok {
		return false
	}
	_, err := strconv.Atoi(n.String())
	return err == nil
}

func isTime(v any) bool {
	s, ok := v.(string)
	if !ok {
		return false
	}
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}
