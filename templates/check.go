package templates

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// Report is what is worth knowing of a template that may be used.
type Report struct {
	Warnings []Warning
	Bytes    int // of the largest sample
}

// ownFiles are the files that belong to one phone and hold its secrets; the others
// are served to anybody.
var ownFiles = []string{
	"polycom/master", "polycom/phone", "polycom/directory", "yealink/boot", "yealink/phone", "yealink/phonebook",
	"grandstream/phone", "grandstream/phonebook",
}

// Own reports whether a file belongs to one phone.
func Own(file string) bool { return slices.Contains(ownFiles, file) }

// Check tries a variant before any phone gets it: it must parse, every action must
// end in an escaper, it must render each of the samples within the limits, what it
// renders must be well-formed, and no text may become a parameter. The error is an
// *Error (where in the template), a *Output with the sample it is about, or a
// phone.FieldError; all are phone.ErrInvalid.
func Check(base *Set, v Variant) (Report, error) {
	set, err := base.With(v)
	if err != nil {
		return Report{}, err
	}
	model := ""
	if len(v.Models) > 0 {
		model = v.Models[0]
	}
	c := checker{base: base, set: set, file: v.File, own: Own(v.File), seen: map[[2]string]bool{}, count: map[string]int{}}
	for _, sample := range Samples(phone.Vendor(path.Dir(v.File)), model) {
		if c.own == (sample.View.MAC == MAC{}) {
			continue
		}
		sample.View.Vars = defaults(v.Variables)
		if err := c.try(sample); err != nil {
			return Report{}, err
		}
	}
	return c.report, nil
}

func defaults(declared []phone.TemplateVariable) map[string]string {
	out := map[string]string{}
	for _, v := range declared {
		out[v.Name] = v.Default
	}
	return out
}

type checker struct {
	base, set *Set
	file      string
	own       bool
	report    Report
	seen      map[[2]string]bool // warnings by code and parameter
	count     map[string]int     // of them, by code
}

// try renders one sample and reads the file as the phone would.
func (c *checker) try(s Sample) error {
	body, params, err := c.read(c.set, s.View)
	if err != nil {
		return c.about(s, s.View, err)
	}
	c.report.Bytes = max(c.report.Bytes, len(body))
	if s.Twin != nil {
		twin := *s.Twin
		twin.Vars = s.View.Vars
		_, plain, err := c.read(c.set, twin)
		if err != nil {
			return c.about(s, twin, err)
		}
		if gone := missing(plain, params); gone != nil {
			return c.about(s, twin, gone)
		}
		return c.about(s, s.View, sameNames(plain, params))
	}
	_, usual, err := c.read(c.base, s.View)
	if err != nil {
		return c.about(s, s.View, err)
	}
	c.warn(Lint(c.file, params, usual)...)
	c.warn(unknown(c.file, params, usual)...)
	c.warn(c.secrets(params)...)
	return nil
}

func (c *checker) read(set *Set, v View) ([]byte, []Parameter, error) {
	var b bytes.Buffer
	if err := set.Render(&b, c.file, v); err != nil {
		return nil, nil, err
	}
	params, err := Parameters(c.file, b.Bytes())
	return b.Bytes(), params, err
}

// maxWarnings bounds the warnings of a code: nobody reads more.
const maxWarnings = 100

// warn keeps each warning once, whichever sample it came from.
func (c *checker) warn(list ...Warning) {
	for _, w := range list {
		key := [2]string{w.Code, w.Parameter}
		if c.seen[key] || c.count[w.Code] == maxWarnings {
			continue
		}
		c.seen[key] = true
		c.count[w.Code]++
		c.report.Warnings = append(c.report.Warnings, w)
	}
	slices.SortStableFunc(c.report.Warnings, func(a, b Warning) int { return cmp.Or(a.Line-b.Line, strings.Compare(a.Parameter, b.Parameter)) })
}

// secrets warns of secrets in parameters that are not known to hold any: they would
// show where passwords are masked.
func (c *checker) secrets(params []Parameter) []Warning {
	var out []Warning
	for _, p := range params {
		if strings.Contains(p.Value, sampleSecret) && !phone.SecretParam(p.Name) {
			out = append(out, Warning{Code: "secret", Parameter: p.Name, Line: p.Line, Reason: "gets a password and is not known to hold one"})
		}
	}
	return out
}

// sameNames refuses a file whose parameters depend on what people write into names.
func sameNames(plain, hostile []Parameter) error {
	for i, p := range hostile {
		if i >= len(plain) || plain[i].Name != p.Name {
			return &Output{p.Line, fmt.Sprintf("a text that people write becomes the parameter %.40q", p.Name)}
		}
	}
	return nil
}

// missing is about the first parameter that hostile lacks at its end.
func missing(plain, hostile []Parameter) error {
	if len(hostile) >= len(plain) || sameNames(plain, hostile) != nil {
		return nil
	}
	p := plain[len(hostile)]
	return &Output{p.Line, "a text that people write makes the parameter " + p.Name + " disappear"}
}

// unknown warns of parameters that no list of the vendor has and that the built-in
// template does not write. What is in a phone book is no parameter.
func unknown(file string, params, usual []Parameter) []Warning {
	if isBook(file) {
		return nil
	}
	vendor := phone.Vendor(path.Dir(file))
	var out []Warning
	for _, p := range params {
		name, _, _ := strings.Cut(p.Name, "(") // of one user
		if KnownParam(vendor, name) || slices.ContainsFunc(usual, func(u Parameter) bool { return u.Name == p.Name }) {
			continue
		}
		out = append(out, Warning{Code: "unknown-parameter", Parameter: p.Name, Line: p.Line, Reason: "is in no list of the vendor's parameters: phones may ignore it"})
	}
	return out
}

// SampleError is what is wrong with the file of one sample.
type SampleError struct {
	Sample string
	Err    error
	Line   int // of the template, which wrote the line that Err is about; 0: not known
}

// Error implements error.
func (e *SampleError) Error() string {
	return "for the sample phone \"" + e.Sample + "\": " + e.Err.Error()
}

// Unwrap returns the *Output or *Error.
func (e *SampleError) Unwrap() error { return e.Err }

// about says of an error which sample it came from, and which line of the template
// wrote what is wrong in the file of v.
func (c *checker) about(s Sample, v View, err error) error {
	var wrong *Error
	if err == nil || errors.As(err, &wrong) {
		return err // the place in the template says more than the sample
	}
	e := &SampleError{Sample: s.Name, Err: err}
	var out *Output
	if !errors.As(err, &out) {
		return e
	}
	lines, explainErr := c.set.explain(c.file, v)
	if n := min(out.Line, len(lines)); explainErr == nil && n > 0 && lines[n-1].Template == c.file {
		e.Line = lines[n-1].Line
	}
	return e
}
