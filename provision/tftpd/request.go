package tftpd

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// Opcodes and error codes of RFC 1350, RFC 2347.
const (
	opRead  = 1
	opWrite = 2
	opData  = 3
	opACK   = 4
	opError = 5
	opOACK  = 6

	codeOther     = 0
	codeNotFound  = 1
	codeViolation = 2
	codeDiskFull  = 3
	codeIllegal   = 4
	codeUnknownID = 5
)

const (
	// maxFileName bounds the name in a request, in bytes; a request has 512 in all.
	maxFileName = 255

	defaultBlock = 512   // RFC 1350
	minBlock     = 8     // RFC 2348
	maxBlock     = 65464 // RFC 2348
	maxTimeout   = 30    // seconds; RFC 2349 allows 255, which would hold a place for an hour
)

// request is a read or a write request as it came, with names of options and mode
// in lower case (RFC 1350 section 5 and RFC 2347 allow any).
type request struct {
	write   bool
	name    string
	mode    string // "octet" or "netascii"
	blksize int    // 0: not asked for
	window  int    // windowsize; 0: not asked for
	timeout int    // seconds; 0: not asked for
	tsize   bool   // asked for
	size    int64  // of a write request: what will come; -1: it does not say
}

// refusal is an answer to a request that is not served.
type refusal struct {
	code uint16
	text string
}

// The texts are the same whatever the reason behind them is.
var (
	refuseNotFound = &refusal{codeNotFound, "File not found"}
	refuseBusy     = &refusal{codeOther, "Server busy"}
	refuseOurs     = &refusal{codeOther, "Server error"}
	refuseWrite    = &refusal{codeViolation, "Access violation"}
	refuseFull     = &refusal{codeDiskFull, "Disk full or allocation exceeded"}
	refuseIllegal  = &refusal{codeIllegal, "Illegal TFTP operation"}
	refuseStranger = &refusal{codeUnknownID, "Unknown transfer ID"}
)

func (r *refusal) packet() []byte {
	b := make([]byte, 4, 5+len(r.text))
	binary.BigEndian.PutUint16(b, opError)
	binary.BigEndian.PutUint16(b[2:], r.code)
	return append(append(b, r.text...), 0)
}

// parseRequest reads the first packet of a transfer. Without a request and without
// a refusal the packet deserves no answer: an answer to an error or to a stray
// packet of another transfer would only make more of them.
func parseRequest(p []byte) (*request, *refusal) {
	if len(p) < 2 {
		return nil, nil
	}
	op := binary.BigEndian.Uint16(p)
	if op != opRead && op != opWrite {
		return nil, nil
	}
	fields := bytes.Split(p[2:], []byte{0})
	if len(fields) < 3 { // name, mode and what follows the last zero
		return nil, refuseIllegal
	}
	r := &request{write: op == opWrite, name: string(fields[0]), mode: strings.ToLower(string(fields[1])), size: -1}
	if r.mode != "octet" && r.mode != "netascii" || len(r.name) > maxFileName {
		return nil, refuseIllegal
	}
	for i := 2; i+1 < len(fields); i += 2 {
		r.option(strings.ToLower(string(fields[i])), string(fields[i+1]))
	}
	return r, nil
}

// option takes over the options that are served: blksize (RFC 2348), tsize and
// timeout (RFC 2349), windowsize (RFC 7440). Options that are not known or make no
// sense are left out, which is how a server says no (RFC 2347).
func (r *request) option(name, value string) {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || n < 0:
	case name == "blksize" && n >= minBlock && n <= maxBlock:
		r.blksize = n
	case name == "windowsize" && n >= 1 && n <= 65535:
		r.window = n
	case name == "timeout" && n >= 1 && n <= maxTimeout:
		r.timeout = n
	case name == "tsize" && r.write:
		r.size = int64(n)
	case name == "tsize" && n == 0:
		r.tsize = true
	}
}

// packet writes a write request for the library, which gets a key in place of the
// name. It knows no block size under 512.
func (r *request) packet(key string) []byte {
	b := append([]byte{0, opWrite}, key...)
	b = append(append(append(b, 0), r.mode...), 0)
	if r.blksize >= defaultBlock {
		b = append(strconv.AppendInt(append(b, "blksize\x00"...), int64(r.blksize), 10), 0)
	}
	return b
}

// terms is what a transfer goes by once the options are settled.
type terms struct {
	block  int // bytes of file in a packet
	window int // packets between two acknowledgements
	oack   []byte
}

// bounds are the most that a server agrees to.
type bounds struct{ block, window int }

// windowBytes bounds what one transfer keeps of a file, and what it sends at once.
const windowBytes = 96 << 10

// agree settles the options of a read request for a file of size bytes (RFC 2347).
// Without an option there is no OACK.
func (r *request) agree(size int64, most bounds) terms {
	t := terms{block: defaultBlock, window: 1}
	put := func(name string, n int64) {
		if t.oack == nil {
			t.oack = []byte{0, opOACK}
		}
		t.oack = append(append(t.oack, name...), 0)
		t.oack = append(strconv.AppendInt(t.oack, n, 10), 0)
	}
	if r.blksize > 0 {
		t.block = min(r.blksize, most.block)
		put("blksize", int64(t.block))
	}
	if r.tsize && r.mode == "octet" { // in netascii the size is not known before the end
		put("tsize", size)
	}
	if r.timeout > 0 {
		put("timeout", int64(r.timeout))
	}
	if r.window > 0 {
		t.window = max(1, min(r.window, most.window, windowBytes/(t.block+4)))
		put("windowsize", int64(t.window))
	}
	return t
}
