package inventory

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"pbx.dev/dialtone/internal/phone"
)

// Limits of what an administrator may store.
const (
	maxText         = 128 // characters of a name, model, site, label, password
	maxUser         = 64
	maxLine         = 99 // more than any phone with expansion modules has
	maxSettings     = 1000
	maxSettingKey   = 128
	maxSettingValue = 8192 // bytes; certificates are settings too
)

// validText accepts up to maxText printable characters.
func validText(field, text string) error {
	switch {
	case !utf8.ValidString(text):
		return phone.Invalid(field, "is not valid UTF-8")
	case utf8.RuneCountInString(text) > maxText:
		return phone.Invalid(field, fmt.Sprintf("has more than %d characters", maxText))
	case strings.ContainsFunc(text, unicode.IsControl):
		return phone.Invalid(field, "has a control character")
	}
	return nil
}

func validNumber(field, number string) error {
	if len(number) < 1 || len(number) > 32 || strings.Trim(number, "0123456789*#") != "" {
		return phone.Invalid(field, "must be 1 to 32 digits, '*' or '#'")
	}
	return nil
}

// validUser accepts digest users that need no escaping in a digest header, a SIP
// URI's user part or a vendor's file, except for '@' and '#', which other systems
// use and a migration brings along.
func validUser(field, user string) error {
	ok := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-+~!*=@#", r))
	}
	if len(user) > maxUser || strings.IndexFunc(user, func(r rune) bool { return !ok(r) }) >= 0 {
		return phone.Invalid(field, fmt.Sprintf("must be 1 to %d letters, digits or any of ._-+~!*=@#", maxUser))
	}
	return nil
}

func validPassword(field string, password phone.Secret) error {
	text := password.Reveal()
	printable := utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	if text == "" || utf8.RuneCountInString(text) > maxText || !printable {
		return phone.Invalid(field, fmt.Sprintf("must be 1 to %d printable characters", maxText))
	}
	return nil
}

func validDevice(d phone.Device) error {
	if err := validMAC(d.MAC); err != nil {
		return err
	}
	for _, f := range []struct{ field, text string }{
		{"manufacturer", string(d.Vendor)}, {"model", d.Model}, {"name", d.Name}, {"site", d.Site},
	} {
		if err := validText(f.field, f.text); err != nil {
			return err
		}
	}
	return validSettings(d.Settings)
}

func validMAC(mac phone.MAC) error {
	switch {
	case mac.IsZero():
		return phone.Invalid("macAddress", "is missing")
	case mac[0]&1 != 0:
		return phone.Invalid("macAddress", "is a multicast address, which no phone has")
	}
	return nil
}

func validSettings(settings map[string]string) error {
	if len(settings) > maxSettings {
		return phone.Invalid("settings", fmt.Sprintf("has more than %d entries", maxSettings))
	}
	for key, value := range settings {
		field := fmt.Sprintf("settings[%.*q]", maxSettingKey, key)
		switch {
		case key == "" || len(key) > maxSettingKey || !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl):
			return phone.Invalid(field, fmt.Sprintf("must be named by 1 to %d bytes without control characters", maxSettingKey))
		case len(value) > maxSettingValue:
			return phone.Invalid(field, fmt.Sprintf("has more than %d bytes", maxSettingValue))
		case !utf8.ValidString(value) || strings.Contains(value, "\x00"):
			return phone.Invalid(field, "is not text")
		}
	}
	return nil
}

// numberLines gives lines without a number the next one, checks all and sorts
// them. Field names count from the caller's order.
func numberLines(lines []phone.Line) error {
	used := make(map[int]bool, len(lines))
	last := 0
	for i := range lines {
		l, field := &lines[i], fmt.Sprintf("lines[%d]", i)
		if l.Number == 0 {
			l.Number = last + 1
		}
		last = l.Number
		if l.Number < 1 || l.Number > maxLine {
			return phone.Invalid(field+".line", fmt.Sprintf("must be 1 to %d", maxLine))
		}
		if used[l.Number] {
			return phone.Invalid(field+".line", fmt.Sprintf("line %d is there twice", l.Number))
		}
		used[l.Number] = true
		if err := validNumber(field+".extensionNumber", l.Extension); err != nil {
			return err
		}
		if err := validText(field+".label", l.Label); err != nil {
			return err
		}
	}
	return nil
}

func sortLines(lines []phone.Line) {
	slices.SortFunc(lines, func(a, b phone.Line) int { return a.Number - b.Number })
}

// clip makes text that came off the wire fit to store: valid UTF-8, no NUL
// (PostgreSQL has none), at most n bytes.
func clip(text string, n int) string {
	if len(text) > n {
		text = text[:n]
	}
	text = strings.ToValidUTF8(text, "?")
	return strings.ReplaceAll(text, "\x00", "?")
}
