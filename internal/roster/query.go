package roster

import (
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/useragent"
)

// Bounds of a search text.
const (
	maxQuery = 256
	maxWords = 8
)

// query is a Filter ready to be applied.
type query struct {
	Filter
	typ, state   int // index into types and states; -1: any, -2: none
	maker, model string
	makerHash    uint32
	modelHash    uint32
	words        []word
	sign         sign // of all words
}

func (f Filter) compile() *query {
	q := &query{Filter: f, typ: -1, state: -1, maker: fold(f.Manufacturer), model: fold(f.Model)}
	q.makerHash, q.modelHash = foldHash(f.Manufacturer), foldHash(f.Model)
	if f.DeviceType != "" {
		q.typ = code(types[:], useragent.Type(f.DeviceType))
	}
	if f.State != "" {
		q.state = code(states[:], f.State)
	}
	text := f.Q[:min(len(f.Q), maxQuery)]
	for _, w := range strings.Fields(strings.ToLower(text)) {
		if len(q.words) == maxWords {
			break
		}
		one := newWord(w)
		if one.digits == "" {
			q.sign.add(signOf(w))
		}
		q.words = append(q.words, one)
	}
	return q
}

// code is the index of v; -2, which nothing has, if it is not in list.
func code[T comparable](list []T, v T) int {
	if i := slices.Index(list, v); i >= 0 {
		return i
	}
	return -2
}

// passes reports whether a phone passes everything but MAC and extension. What
// is cheap comes first.
func (q *query) passes(s *state, slot uint32) bool {
	h := &s.hot[slot]
	switch {
	case q.Registered != nil && *q.Registered != h.registered,
		q.Drift != nil && *q.Drift != h.drift,
		q.typ != -1 && q.typ != int(h.typ),
		q.state != -1 && q.state != int(h.state),
		q.Manufacturer != "" && q.makerHash != h.maker,
		q.Model != "" && q.modelHash != h.model:
		return false
	}
	if !s.sign[slot].covers(&q.sign) {
		return false
	}
	for _, w := range q.words {
		if !w.in(s.text[slot]) {
			return false
		}
	}
	return q.certain(s.rows[slot])
}

// certain checks on the row itself what hot only knows by hash.
func (q *query) certain(r *row) bool {
	if q.Manufacturer != "" && fold(r.maker()) != q.maker {
		return false
	}
	if q.Model != "" && fold(r.model()) != q.model {
		return false
	}
	if q.DriftKind == "" {
		return true
	}
	return slices.ContainsFunc(r.drift, func(d string) bool { return strings.HasPrefix(d, q.DriftKind+":") })
}

// candidates are the phones that a filter by MAC or by extension can mean.
func (q *query) candidates(s *state) []*row {
	if q.MAC != nil {
		rows := slices.Clone(s.claims[*q.MAC])
		if r := s.macs[*q.MAC]; r != nil {
			rows = append(rows, r)
		}
		return rows
	}
	if e := s.exts[q.Extension]; e != nil {
		return e.rows
	}
	return nil
}

// narrow checks the second of the two when both are given.
func (q *query) narrow(r *row) bool {
	return q.Extension == "" || slices.Contains(r.extensions(), q.Extension)
}
