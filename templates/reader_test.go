package templates

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// readFile reads a file back as the phone would: parameter by name. The readers are
// written from the formats (phone-facts/README.md 2), not from the templates.
func readFile(v phone.Vendor, text string) (map[string]string, error) {
	if strings.Contains(text, "<directory>") || strings.Contains(text, "<AddressBook>") || strings.Contains(text, "<YealinkIPPhoneDirectory>") {
		return map[string]string{}, eachToken(text, func(xml.Token) error { return nil })
	}
	switch v {
	case phone.Polycom:
		return readPolycom(text)
	case phone.Yealink:
		return readYealink(text)
	}
	return readGrandstream(text)
}

// readBook reads the last contact of a phone book.
func readBook(text string) (map[string]string, error) {
	fields := map[string]string{"fn": "contact.name", "Name": "contact.name", "FirstName": "contact.name", "ct": "contact.number", "Telephone": "contact.number", "phonenumber": "contact.number"}
	out := map[string]string{}
	var value strings.Builder
	err := eachToken(text, func(tok xml.Token) error {
		switch tok := tok.(type) {
		case xml.StartElement:
			value.Reset()
		case xml.CharData:
			value.Write(tok)
		case xml.EndElement:
			if name, ok := fields[tok.Name.Local]; ok {
				out[name] = value.String()
			}
		}
		return nil
	})
	return out, err
}

// readPolycom collects attributes; the first definition wins. An attribute that
// stands twice in one element is not well-formed XML, which encoding/xml allows.
func readPolycom(text string) (map[string]string, error) {
	out := map[string]string{}
	err := eachToken(text, func(tok xml.Token) error {
		start, ok := tok.(xml.StartElement)
		if !ok {
			return nil
		}
		here := map[string]bool{}
		for _, a := range start.Attr {
			if here[a.Name.Local] {
				return fmt.Errorf("attribute %s stands twice in %s", a.Name.Local, start.Name.Local)
			}
			here[a.Name.Local] = true
			if _, ok := out[a.Name.Local]; !ok {
				out[a.Name.Local] = a.Value
			}
		}
		return nil
	})
	return out, err
}

func readGrandstream(text string) (map[string]string, error) {
	out := map[string]string{}
	var path []string
	var value strings.Builder
	err := eachToken(text, func(tok xml.Token) error {
		switch tok := tok.(type) {
		case xml.StartElement:
			path = append(path, tok.Name.Local)
			value.Reset()
		case xml.CharData:
			value.Write(tok)
		case xml.EndElement:
			if len(path) == 3 && path[0] == "gs_provision" && path[1] == "config" {
				if _, twice := out[tok.Name.Local]; twice {
					return fmt.Errorf("%s stands twice", tok.Name.Local)
				}
				out[tok.Name.Local] = value.String()
			}
			path = path[:len(path)-1]
		}
		return nil
	})
	return out, err
}

func eachToken(text string, do func(xml.Token) error) error {
	if !strings.HasPrefix(text, "<?xml ") {
		return errors.New("no XML declaration at the very start")
	}
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(tok); err != nil {
			return err
		}
	}
}

// readYealink reads "key = value" lines; the last one wins. Anything that is
// neither that, a comment, an include nor empty is an error.
func readYealink(text string) (map[string]string, error) {
	out := map[string]string{}
	lines := strings.Split(text, "\n")
	if lines[0] != "#!version:1.0.0.1" {
		return nil, fmt.Errorf("first line is %q", lines[0])
	}
	for i, line := range lines[1:] {
		for _, r := range line {
			if r < 0x20 || r == 0x7f {
				return nil, fmt.Errorf("line %d has the control character %q", i+2, r)
			}
		}
		if line == "" || line[0] == '#' || strings.HasPrefix(line, "include:config \"") && strings.HasSuffix(line, "\"") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if !ok || !ValidParam(key) {
			return nil, fmt.Errorf("line %d is not key = value: %q", i+2, line)
		}
		value = strings.TrimSpace(value)
		if strings.HasSuffix(key, "security.user_password") { // one line for each user of the phone
			user, _, _ := strings.Cut(value, ":")
			key += "(" + user + ")"
		}
		out[key] = value
		if strings.HasPrefix(out[key], "%") {
			return nil, fmt.Errorf("line %d is a command to the phone: %q", i+2, line)
		}
	}
	return out, nil
}
