package templates

// block collects the steps of a body. Text waits for the step that it is written by.
type block struct {
	steps []step
	text  []byte
	fence int // steps that jumps can end behind: what comes next is a step of its own
}

// add appends a step and returns its place.
func (b *block) add(s step) int {
	s.text, b.text = textOfStep(string(b.text)), b.text[:0]
	if b.merge(s) {
		return len(b.steps) - 1
	}
	b.steps = append(b.steps, s)
	return len(b.steps) - 1
}

// merge makes one step of a number and the text or number that follows it, as in
// "account.{{.Number}}.label = {{.Label}}".
func (b *block) merge(s step) bool {
	last := len(b.steps) - 1
	if len(b.steps) <= b.fence || b.steps[last].code != codeNumber {
		return false
	}
	p := &b.steps[last]
	switch s.code {
	case codeLine:
		p.code = codeNumberLine
	case codeNumber:
		p.code = codeNumberNumber
	default:
		return false
	}
	p.mid, p.off2 = s.text, s.off
	return true
}

// label is where the step that comes next will be.
func (b *block) label() int {
	if len(b.text) > 0 {
		b.add(step{code: codeText})
	}
	b.fence = len(b.steps)
	return len(b.steps)
}
