package templates

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"text/template/parse"

	"pbx.dev/dialtone/internal/phone"
)

// Written is one line of a rendered file and where it comes from.
type Written struct {
	Text     string   // without the line end
	Template string   // file that wrote its first character: "yealink/phone"
	Line     int      // in that file, 1 is the first
	Settings []string // settings whose values stand in it, by full name: "lines.2.label"; raw parameters by theirs
}

// span is a piece of the output and who wrote it.
type span struct {
	end      int
	at       position
	text     string // of a text node: its own lines
	settings []string
}

// trace makes o note what it wrote, in a program that is compiled for that.
func (s *scope) trace(n parse.Node, read []string, o op) op {
	if !s.c.traced {
		return o
	}
	at := s.at(n)
	text := ""
	if t, ok := n.(*parse.TextNode); ok {
		text = string(t.Text)
	}
	return func(f *frame) flow {
		from := len(f.out)
		r := o(f)
		if len(f.out) == from {
			return r
		}
		s := span{end: len(f.out), at: at, text: text}
		if text == "" { // what an action writes, and not the text around it
			s.settings = append(f.numbered(read), f.reads...)
		}
		if f.spans = append(f.spans, s); len(f.spans) > maxSpans {
			panic(at.errorf("the file has more than %d pieces", maxSpans))
		}
		return r
	}
}

// tracedCall makes what a template writes show the settings that it is called with.
func tracedCall(call op, read []string) op {
	return func(f *frame) flow {
		before := f.reads
		f.reads = append(f.reads[:len(f.reads):len(f.reads)], f.numbered(read)...)
		r := call(f)
		f.reads = before
		return r
	}
}

// numbered puts the numbers of the line or key at hand into the names of settings.
func (f *frame) numbered(names []string) []string {
	var out []string
	for _, name := range names {
		for i := -1; i < len(f.vars) && strings.Contains(name, "#"); i++ {
			v := f.dot
			if i >= 0 {
				v = f.vars[i]
			}
			f.work(1)
			switch {
			case v.p == nil:
			case v.subject == lineSubject:
				name = strings.Replace(name, "lines.#", "lines."+strconv.Itoa((*Line)(v.p).Number), 1)
			case v.subject == keySubject:
				name = strings.Replace(name, "keys.#", (*Key)(v.p).name(), 1)
			}
		}
		name = strings.TrimPrefix(name, "lines.#.") // of all lines
		out = append(out, name)
	}
	return out
}

// name is what the settings of a key begin with.
func (k Key) name() string {
	own := "keys." + strconv.Itoa(k.Number)
	if k.Module > 0 {
		return "modules." + strconv.Itoa(k.Module) + "." + own
	}
	return own
}

// Explain renders like RenderMasked and says of every line of the file which line of
// which template wrote it and which settings stand in it.
func (s *Set) Explain(name string, v View) ([]Written, error) { return s.explain(name, v.masked()) }

func (s *Set) explain(name string, v View) ([]Written, error) {
	p, ok := s.traced().programs[name]
	if !ok {
		return nil, fmt.Errorf("template %.60q: %w", name, phone.ErrNotFound)
	}
	f, err := p.file(name, &v)
	if err != nil {
		return nil, err
	}
	defer f.release()
	return linesOf(f.out, f.spans), nil
}

// linesOf splits the output into lines, each with the span that it begins in.
func linesOf(out []byte, spans []span) []Written {
	var lines []Written
	at, start := 0, 0 // span at hand, where it starts
	for pos := 0; pos < len(out); {
		end := pos + bytes.IndexByte(out[pos:], '\n')
		if end < pos {
			end = len(out)
		}
		for at < len(spans)-1 && spans[at].end <= pos {
			start = spans[at].end
			at++
		}
		sp := spans[at]
		w := Written{Text: string(out[pos:end]), Template: sp.at.name, Line: sp.at.line + strings.Count(sp.text[:min(len(sp.text), pos-start)], "\n")}
		for i := at; i < len(spans) && (i == at || spans[i-1].end < end); i++ {
			w.Settings = append(w.Settings, spans[i].settings...)
		}
		lines = append(lines, w)
		pos = end + 1
	}
	return lines
}
