package tftpd

import "io"

// netascii reads a text in the form of RFC 764: a line ends with CR LF, a CR that
// ends no line is CR NUL.
type netascii struct {
	from    io.Reader
	buf     []byte // read and not yet given
	pending byte   // second half of a pair
	half    bool
	store   [512]byte
}

// Read implements io.Reader.
func (r *netascii) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if r.half {
			p[n], r.half = r.pending, false
			n++
			continue
		}
		if len(r.buf) == 0 {
			if n > 0 {
				return n, nil
			}
			got, err := r.from.Read(r.store[:])
			if r.buf = r.store[:got]; got == 0 {
				return 0, err
			}
		}
		c := r.buf[0]
		r.buf = r.buf[1:]
		switch c {
		case '\n':
			p[n], r.pending, r.half = '\r', '\n', true
		case '\r':
			p[n], r.pending, r.half = '\r', 0, true
		default:
			p[n] = c
		}
		n++
	}
	return n, nil
}
