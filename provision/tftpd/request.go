package tftpd

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// Opcodes and error codes of RFC 1350.
const (
	opRead  = 1
	opWrite = 2
	opError = 5

	codeOther     = 0
	codeNotFound  = 1
	codeViolation = 2
	codeIllegal   = 4
)

// maxFileName bounds the name in a request, in bytes; a request has 512 in all.
const maxFileName = 255

// request is a read request as it came, with names of options and mode in lower
// case (RFC 1350 section 5 and RFC 2347 allow any).
type request struct {
	name    string
	mode    string // "octet" or "netascii"
	blksize int    // 0: not asked for
	tsize   bool   // asked for
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
	refuseIllegal  = &refusal{codeIllegal, "Illegal TFTP operation"}
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
	switch binary.BigEndian.Uint16(p) {
	case opRead:
	case opWrite:
		return nil, refuseWrite
	default:
		return nil, nil
	}
	fields := bytes.Split(p[2:], []byte{0})
	if len(fields) < 3 { // name, mode and what follows the last zero
		return nil, refuseIllegal
	}
	r := &request{name: string(fields[0]), mode: strings.ToLower(string(fields[1]))}
	if r.mode != "octet" && r.mode != "netascii" || len(r.name) > maxFileName {
		return nil, refuseIllegal
	}
	for i := 2; i+1 < len(fields); i += 2 {
		r.option(strings.ToLower(string(fields[i])), string(fields[i+1]))
	}
	return r, nil
}

// option takes over the options that are served: blksize (RFC 2348) and tsize (RFC
// 2349). Options that are not known or make no sense are left out, which is how a
// server says no (RFC 2347).
func (r *request) option(name, value string) {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
	case name == "blksize" && n >= 512 && n <= 65464:
		r.blksize = n
	case name == "tsize" && n == 0:
		r.tsize = true
	}
}

// packet writes the request for the library, which gets a key in place of the name.
func (r *request) packet(key string) []byte {
	b := append([]byte{0, opRead}, key...)
	b = append(append(append(b, 0), r.mode...), 0)
	if r.blksize > 0 {
		b = append(strconv.AppendInt(append(b, "blksize\x00"...), int64(r.blksize), 10), 0)
	}
	if r.tsize {
		b = append(b, "tsize\x000\x00"...)
	}
	return b
}
