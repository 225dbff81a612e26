package roster

import (
	"strings"
)

// retext renews what a search of r looks at.
func (s *state) retext(r *row) {
	text := s.textOf(r)
	s.text[r.slot], s.sign[r.slot] = text, signOf(text)
}

// textOf is what a search looks through, in lower case.
func (s *state) textOf(r *row) string {
	parts := make([]string, 0, 16)
	for _, number := range r.extensions() {
		parts = append(parts, number, s.nameOf(number))
	}
	if d := r.dev; d != nil {
		parts = append(parts, d.name, d.site)
	}
	if !r.mac.IsZero() {
		parts = append(parts, r.mac.Hex())
	}
	parts = append(parts, r.ip, r.maker(), r.model(), r.userAgent)
	if fw := r.reported().Firmware; !strings.Contains(r.userAgent, fw) {
		parts = append(parts, fw)
	}
	return strings.ToLower(strings.Join(parts, "\n"))
}

// sign is a set of the groups of three bytes that a text has, by hash. A text
// whose sign lacks one of a word's groups does not have the word, which spares a
// search nearly all texts.
type sign [4]uint64

func signOf(text string) sign {
	var s sign
	for i := 0; i+2 < len(text); i++ {
		h := (uint32(text[i]) | uint32(text[i+1])<<8 | uint32(text[i+2])<<16) * 2654435761 >> 24
		s[h>>6] |= 1 << (h & 63)
	}
	return s
}

// covers reports whether every group of o is in s.
func (s *sign) covers(o *sign) bool {
	return o[0]&^s[0]|o[1]&^s[1]|o[2]&^s[2]|o[3]&^s[3] == 0
}

func (s *sign) add(o sign) {
	for i := range s {
		s[i] |= o[i]
	}
}

// word is one word of a search. A piece of a MAC may be written with separators,
// which the text does not have.
type word struct{ text, digits string }

func newWord(text string) word {
	w := word{text: text}
	if strings.ContainsAny(text, ":-.") && strings.Trim(text, "0123456789abcdef:-.") == "" {
		w.digits = strings.NewReplacer(":", "", "-", "", ".", "").Replace(text)
	}
	return w
}

func (w word) in(text string) bool {
	return strings.Contains(text, w.text) || w.digits != "" && strings.Contains(text, w.digits)
}

// fold reduces a name to what a filter compares: letters and digits, lower case.
func fold(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if c, ok := foldByte(s[i]); ok {
			b = append(b, c)
		}
	}
	return string(b)
}

// foldHash is FNV-1a over fold(s), without the copy.
func foldHash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		if c, ok := foldByte(s[i]); ok {
			h = (h ^ uint32(c)) * 16777619
		}
	}
	return h
}

func foldByte(c byte) (byte, bool) {
	switch {
	case c >= 'A' && c <= 'Z':
		return c | 0x20, true
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 0x80:
		return c, true
	}
	return 0, false
}
