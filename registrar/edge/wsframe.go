package edge

import (
	"encoding/binary"
	"unicode/utf8"
)

// Opcodes of frames (RFC 6455 section 5.2).
const (
	opContinuation byte = 0x0
	opText         byte = 0x1
	opBinary       byte = 0x2
	opClose        byte = 0x8
	opPing         byte = 0x9
	opPong         byte = 0xA
)

// maxControl is the most payload of a control frame, in bytes.
const maxControl = 125

// Why we end a WebSocket (RFC 6455 section 7.4.1).
const (
	closeNormal    = 1000
	closeGoingAway = 1001
	closeProtocol  = 1002
	closeTooBig    = 1009
)

// appendFrame appends a whole message or control frame as a server sends it.
func appendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, 0x80|op)
	switch n := len(payload); {
	case n <= maxControl:
		dst = append(dst, byte(n))
	case n <= 0xffff:
		dst = append(dst, 126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, payload...)
}

// messageOp is the opcode for a SIP message: text, unless a body of other bytes
// would make the frame invalid (RFC 7118 section 4.2).
func messageOp(message []byte) byte {
	if utf8.Valid(message) {
		return opText
	}
	return opBinary
}

// closePayload is the payload of a close frame.
func closePayload(status int) []byte { return []byte{byte(status >> 8), byte(status)} }
