package config

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// setting is one leaf of Config: its YAML path, which is its flag as well, and
// the field that holds its value.
type setting struct {
	path  string // "sip.max_contacts"
	value reflect.Value
}

var secretType = reflect.TypeFor[phone.Secret]()

// settings walks c and returns its leaves in the order of the struct.
func settings(c *Config) []setting {
	return walk(reflect.ValueOf(c).Elem(), "")
}

func walk(v reflect.Value, prefix string) []setting {
	var out []setting
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		f := v.Field(i)
		if f.Kind() == reflect.Struct && f.Type() != secretType {
			out = append(out, walk(f, prefix+name+".")...)
			continue
		}
		out = append(out, setting{path: prefix + name, value: f})
	}
	return out
}

// Describe calls fn with each setting, what it is now and whether that is its
// default. Secrets are redacted.
func (c Config) Describe(fn func(path, value string, isDefault bool)) {
	d := Default()
	defaults := settings(&d)
	for i, s := range settings(&c) {
		value := s.text()
		same := value == defaults[i].text()
		if s.secret() && !s.value.Interface().(phone.Secret).IsZero() {
			value, same = "[redacted]", false
		}
		fn(s.path, value, same)
	}
}

// text is the value as a file would have it; of a secret it is empty.
func (s setting) text() string {
	switch v := s.value.Interface().(type) {
	case phone.Secret:
		return ""
	case []string:
		return strings.Join(v, ",")
	default:
		return fmt.Sprint(v)
	}
}

// env is the environment variable of the setting: DIALTONE_SIP_MAX_CONTACTS.
func (s setting) env() string {
	return "DIALTONE_" + strings.ToUpper(strings.ReplaceAll(s.path, ".", "_"))
}

func (s setting) secret() bool { return s.value.Type() == secretType }

// set reads text into the setting's field.
func (s setting) set(text string) error {
	switch p := s.value.Addr().Interface().(type) {
	case *string:
		*p = text
	case *phone.Secret:
		*p = phone.NewSecret(text)
	case *Duration:
		return p.UnmarshalText([]byte(text))
	case *[]string:
		*p = splitList(text)
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*p = n
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*p = b
	default:
		panic("config: no reader for " + s.path)
	}
	return nil
}

// setFile reads a secret from a file, without the final line end.
func (s setting) setFile(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return s.set(strings.TrimRight(string(b), "\r\n"))
}

func splitList(s string) []string {
	out := []string{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
