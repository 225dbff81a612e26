package templates

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// Output says where a rendered file is not what its phone can read.
type Output struct {
	Line   int // of the file; 1 is the first
	Reason string
}

// Error implements error.
func (o *Output) Error() string { return fmt.Sprintf("line %d of the file: %s", o.Line, o.Reason) }

// Unwrap makes errors.Is(err, phone.ErrInvalid) hold.
func (*Output) Unwrap() error { return phone.ErrInvalid }

// Parameter is one parameter as a phone reads it in a file.
type Parameter struct {
	Name  string
	Value string
	Line  int // of the file; 1 is the first
}

// Parameters reads a rendered file of template file ("yealink/phone") as its phone
// does and returns what it sets, in order (phone-facts/README.md 2). A file that the
// phone could not read is an *Output.
func Parameters(file string, body []byte) ([]Parameter, error) {
	if isBook(file) {
		return bookParameters(body)
	}
	switch phone.Vendor(path.Dir(file)) {
	case phone.Yealink:
		return yealinkParameters(body)
	case phone.Polycom:
		return polycomParameters(body)
	}
	return grandstreamParameters(body)
}

// isBook reports whether a file is a phone book, which sets no parameters.
func isBook(file string) bool {
	base := path.Base(file)
	return base == "directory" || base == "phonebook"
}

const yealinkFirst = "#!version:1.0.0.1"

// yealinkParameters reads "key = value" lines, comments and includes.
func yealinkParameters(body []byte) ([]Parameter, error) {
	var out []Parameter
	for i, line := range strings.Split(strings.TrimSuffix(string(body), "\n"), "\n") {
		n := i + 1
		if i == 0 && line != yealinkFirst {
			return nil, &Output{n, "the first line must be " + yealinkFirst}
		}
		if c := strings.IndexFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }); c >= 0 {
			return nil, &Output{n, fmt.Sprintf("has the control character %q", line[c])}
		}
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' || strings.HasPrefix(text, "include:config ") {
			continue
		}
		key, value, ok := strings.Cut(text, "=")
		key = strings.TrimSpace(key)
		if !ok || !ValidParam(key) {
			return nil, &Output{n, fmt.Sprintf("%.60q is not \"parameter = value\"", text)}
		}
		value = strings.TrimSpace(value)
		if strings.HasSuffix(key, "security.user_password") { // one line for each user of the phone
			user, _, _ := strings.Cut(value, ":")
			key += "(" + user + ")"
		}
		out = append(out, Parameter{key, value, n})
	}
	return out, nil
}

// polycomParameters reads the attributes of all elements.
func polycomParameters(body []byte) ([]Parameter, error) {
	var out []Parameter
	err := readXML(body, func(line int, names []string, start *xml.StartElement, _ string) error {
		if start == nil {
			return nil
		}
		here := map[string]bool{}
		for _, a := range start.Attr {
			name := a.Name.Local
			if here[name] {
				return &Output{line, fmt.Sprintf("%s stands twice in <%s>, which is not well-formed", name, names[len(names)-1])}
			}
			here[name] = true
			out = append(out, Parameter{name, a.Value, line})
		}
		return nil
	})
	return out, err
}

// grandstreamParameters reads <gs_provision><config><P...>.
func grandstreamParameters(body []byte) ([]Parameter, error) {
	var out []Parameter
	seen := map[string]bool{}
	err := readXML(body, func(line int, names []string, start *xml.StartElement, text string) error {
		if names[0] != "gs_provision" {
			return &Output{line, "the root element must be gs_provision"}
		}
		if start != nil || len(names) != 3 || names[1] != "config" {
			return nil
		}
		name := names[2]
		if seen[name] {
			return &Output{line, name + " stands twice"}
		}
		seen[name] = true
		out = append(out, Parameter{name, text, line})
		return nil
	})
	return out, err
}

// bookParameters reads a phone book: it sets nothing, but its elements must not
// depend on what people write. Each stands for a parameter of its name.
func bookParameters(body []byte) ([]Parameter, error) {
	var out []Parameter
	err := readXML(body, func(line int, names []string, start *xml.StartElement, text string) error {
		if start == nil {
			out = append(out, Parameter{names[len(names)-1], text, line})
		}
		return nil
	})
	return out, err
}

// maxDepth bounds elements inside each other.
const maxDepth = 16

// readXML calls visit at the start of every element (with it) and at its end (with
// nil and the text right before), with the names from the root down to it.
func readXML(body []byte, visit func(line int, names []string, start *xml.StartElement, text string) error) error {
	r := xmlReader{body: body, d: xml.NewDecoder(bytes.NewReader(body)), visit: visit}
	if !bytes.HasPrefix(body, []byte("<?xml ")) {
		return &Output{1, "must start with <?xml, with nothing before it"}
	}
	for {
		tok, err := r.d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			var syntax *xml.SyntaxError
			if errors.As(err, &syntax) {
				return &Output{syntax.Line, "is not well-formed XML: " + syntax.Msg}
			}
			return &Output{r.line(), "is not well-formed XML: " + err.Error()}
		}
		if err := r.token(tok); err != nil {
			return err
		}
	}
	if r.roots != 1 || len(r.names) > 0 {
		return &Output{r.line(), "must have one root element"}
	}
	return nil
}

type xmlReader struct {
	body  []byte
	d     *xml.Decoder
	names []string // from the root down
	text  strings.Builder
	roots int
	visit func(line int, names []string, start *xml.StartElement, text string) error
}

func (r *xmlReader) line() int {
	return 1 + bytes.Count(r.body[:min(int(r.d.InputOffset()), len(r.body))], []byte("\n"))
}

func (r *xmlReader) token(tok xml.Token) error {
	switch tok := tok.(type) {
	case xml.StartElement:
		if len(r.names) == 0 {
			r.roots++
		}
		if len(r.names) == maxDepth {
			return &Output{r.line(), "nests elements too deep"}
		}
		r.names = append(r.names, tok.Name.Local)
		r.text.Reset()
		return r.visit(r.line(), r.names, &tok, "")
	case xml.EndElement:
		err := r.visit(r.line(), r.names, nil, r.text.String())
		r.names = r.names[:len(r.names)-1]
		r.text.Reset()
		return err
	case xml.CharData:
		if len(r.names) == 0 && len(bytes.TrimSpace(tok)) > 0 {
			return &Output{r.line(), "has text outside the root element"}
		}
		r.text.Write(tok)
	case xml.Directive:
		return &Output{r.line(), "has a document type or an entity, which phones do not read"}
	}
	return nil
}
