package templates

import (
	"strconv"
	"unsafe"
)

// step is one instruction of a compiled template: it writes its text, then does what
// its code says. What templates do most has a code of its own, the rest is an op.
type step struct {
	text  text // written first
	code  code
	off   uintptr           // in the dot
	off2  uintptr           // in the dot, of what is written behind mid
	mid   text              // between two values
	slot  int               // of a variable
	jump  int               // step to go on with
	lit   string            // to compare with
	cases []string          // case, what to write, case, ...
	op    op                // of codeDo, of codeChoose when no case fits
	test  func(*frame) bool // of codeUnless
	at    *position
}

// text is a constant text. Most are short: those are copied as a whole array, which
// takes a few instructions, and cut to their length.
type text struct {
	n     int
	short [32]byte
	all   string
}

func textOfStep(s string) text {
	t := text{n: len(s), all: s}
	copy(t.short[:], s)
	return t
}

func (t *text) appendTo(b []byte) []byte {
	end := len(b)
	if t.n > len(t.short) || cap(b)-end < len(t.short) {
		return append(b, t.all...)
	}
	*(*[32]byte)(b[end : end+32]) = t.short
	return b[:end+t.n]
}

type code uint8

const (
	codeText         code = iota // nothing but the text
	codeLine                     // write the text at off as the value of a Yealink line
	codeXML                      // write the text at off into XML
	codeNumber                   // write the number at off
	codeNumberLine               // write the number at off, mid, the text at off2 as the value of a Yealink line
	codeNumberNumber             // write the number at off, mid, the number at off2
	codeVarNumber                // write the number in slot
	codeVarParam                 // write the text in slot as the name of a parameter
	codeChoose                   // write what cases have for the text at off
	codeDo                       // do op
	codeJump                     // go on at jump
	codeUnless                   // go on at jump unless test
	codeUnlessText               // go on at jump unless the text at off is something
	codeUnlessNumber             // go on at jump unless the number at off is something
	codeUnlessSame               // go on at jump unless the text at off is lit
	codeUnlessOther              // go on at jump unless the text at off is not lit
)

// run does the steps of a body. Jumps go forward only, so it ends.
func run(steps []step, f *frame) flow {
	f.work(len(steps))
	out, dot := f.out, f.dot.p
	for i := 0; i < len(steps); {
		s := &steps[i]
		i++
		out = s.text.appendTo(out)
		switch s.code {
		case codeLine:
			out = appendLine(out, textAt(dot, s.off))
		case codeXML:
			out = appendXML(out, textAt(dot, s.off))
		case codeNumber:
			out = appendNumber(out, numberAt(dot, s.off))
		case codeNumberLine:
			out = appendNumber(out, numberAt(dot, s.off))
			out = s.mid.appendTo(out)
			out = appendLine(out, textAt(dot, s.off2))
		case codeNumberNumber:
			out = appendNumber(out, numberAt(dot, s.off))
			out = s.mid.appendTo(out)
			out = appendNumber(out, numberAt(dot, s.off2))
		case codeVarParam:
			out = appendParam(out, f.vars[f.base+s.slot].s, s.at)
		case codeVarNumber:
			out = appendNumber(out, f.vars[f.base+s.slot].n)
		case codeChoose, codeDo:
			var r flow
			if out, r = s.do(f, out, dot); r != next {
				return r
			}
		case codeJump:
			i = s.jump
		case codeUnless:
			f.at = s.at
			f.work(1)
			if !s.test(f) {
				i = s.jump
			}
		case codeUnlessText:
			if textAt(dot, s.off) == "" {
				i = s.jump
			}
		case codeUnlessNumber:
			if numberAt(dot, s.off) == 0 {
				i = s.jump
			}
		case codeUnlessSame:
			if textAt(dot, s.off) != s.lit {
				i = s.jump
			}
		case codeUnlessOther:
			if textAt(dot, s.off) == s.lit {
				i = s.jump
			}
		}
		if len(out) > maxBytes {
			panic(s.at.errorf("%s", tooLarge))
		}
	}
	f.out = out
	return next
}

// do is the steps that are not in the loop of run: out is what has been written.
func (s *step) do(f *frame, out []byte, dot unsafe.Pointer) ([]byte, flow) {
	if s.code == codeChoose {
		key := textAt(dot, s.off)
		for i := 0; i+1 < len(s.cases); i += 2 {
			if s.cases[i] == key {
				return append(out, s.cases[i+1]...), next
			}
		}
	}
	f.out, f.at = out, s.at
	f.work(1)
	r := s.op(f)
	return f.out, r
}

func textAt(p unsafe.Pointer, off uintptr) string { return *(*string)(unsafe.Add(p, off)) }
func numberAt(p unsafe.Pointer, off uintptr) int  { return *(*int)(unsafe.Add(p, off)) }

func appendNumber(b []byte, n int) []byte {
	if uint(n) < 10 {
		return append(b, '0'+byte(n))
	}
	if uint(n) < 100 {
		return append(b, '0'+byte(n/10), '0'+byte(n%10))
	}
	return strconv.AppendInt(b, int64(n), 10)
}

func appendParam(b []byte, name string, at *position) []byte {
	if !ValidParam(name) {
		panic(at.errorf("%.40q cannot be the name of a parameter", name))
	}
	return append(b, name...)
}
