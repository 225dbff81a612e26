package library

import (
	"strconv"
	"unicode/utf8"

	"pbx.dev/dialtone/internal/phone"
)

// validVariable checks a declaration; field is what stands before its fields' names.
func validVariable(field string, v phone.TemplateVariable) error {
	if why := v.Valid(); why != "" {
		return phone.Invalid(field+"name", why)
	}
	for name, text := range map[string]string{"default": v.Default, "help": v.Help} {
		if utf8.RuneCountInString(text) > maxValue {
			return phone.Invalid(field+name, "has more than "+strconv.Itoa(maxValue)+" characters")
		}
	}
	switch v.Type {
	case "", "text", "number", "bool", "choice":
	default:
		return phone.Invalid(field+"type", "must be text, number, bool or choice")
	}
	if (v.Type == "choice") != (len(v.Choices) > 0) {
		return phone.Invalid(field+"choices", "belong to a choice, which must have some")
	}
	if v.Default != "" {
		if why := v.Check(v.Default); why != "" {
			return phone.Invalid(field+"default", why)
		}
	}
	return nil
}
