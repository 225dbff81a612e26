package library

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"pbx.dev/dialtone/internal/phone"
)

// validVariable checks a declaration; field is what stands before its fields' names.
func validVariable(field string, v phone.TemplateVariable) error {
	word := func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	if v.Name == "" || len(v.Name) > 32 || slices.ContainsFunc([]rune(v.Name), word) || v.Name[0] <= '9' {
		return phone.Invalid(field+"name", "must be 1 to 32 letters, digits and '_', a letter first")
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
		if why := CheckValue(v, v.Default); why != "" {
			return phone.Invalid(field+"default", why)
		}
	}
	return nil
}

// CheckValue says why a value cannot be that of a variable; empty: it can.
func CheckValue(v phone.TemplateVariable, value string) string {
	switch v.Type {
	case "number":
		if _, err := strconv.Atoi(value); err != nil {
			return "must be a whole number"
		}
	case "bool":
		if value != "0" && value != "1" {
			return "must be 0 or 1"
		}
	case "choice":
		if !slices.Contains(v.Choices, value) {
			return "is not one of the choices"
		}
	}
	return ""
}
