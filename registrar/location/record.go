package location

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"unicode/utf8"
)

// A value in Redis is a JSON object with its members in this order, without blanks
// but after the CSeq, which has 10 places: what a refresh changes stands in front and
// at the same place in every value, so that a script reads and writes it without
// touching the rest. The rest is the content, and equal content is equal text:
//
//	{"v":2,"refreshedAt":MS,"expiresAt":MS,"cseq":N         ,"registeredAt":MS,
//	"hash":"..","callId":"..","device":"..","aor":"..","id":"..","contact":"..",...}
//
// The hash is that of Call-ID and content. Times are unix milliseconds by the clock
// of Redis, 13 digits until the year 2286. Members with their zero value are left
// out, save device, contact and q. In texts '"', '\' and control characters, and
// bytes that are not UTF-8, are \u00XX for the byte XX: the object is valid JSON, and
// every text comes back byte for byte.

// appendCSeq appends a CSeq in the places that it has.
func appendCSeq(b []byte, cseq uint32) []byte {
	start := len(b)
	b = strconv.AppendUint(b, uint64(cseq), 10)
	return append(b, "          "[:10-(len(b)-start)]...)
}

// appendHash appends the hash of a value, given its Call-ID and content as they
// stand there. Two that are equal mean equal texts, whoever chose them.
func appendHash(b, callID, content []byte) []byte {
	var room [1024]byte
	text := append(append(append(room[:0], callID...), ','), content...)
	sum := sha256.Sum256(text)
	return hex.AppendEncode(b, sum[:12])
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
				b = appendByte(b, c)
			} else {
				b = append(b, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b = appendByte(b, c)
		} else {
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return append(b, '"')
}

func appendByte(b []byte, c byte) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}

// appendContent appends the second part of a value, for the AOR given.
func appendContent(b []byte, c *Binding, aor AOR) []byte {
	b = appendString(append(b, `"device":`...), c.Device)
	b = appendString(append(b, `,"aor":`...), string(aor))
	b = appendString(append(b, `,"id":`...), c.ID)
	b = appendString(append(b, `,"contact":`...), c.Contact)
	for _, f := range [...]struct{ name, value string }{
		{`,"params":`, c.Params},
		{`,"received":`, c.Received},
		{`,"transport":`, c.Transport},
		{`,"socket":`, c.Socket},
		{`,"node":`, c.Node},
		{`,"boot":`, c.Boot},
		{`,"flow":`, c.Flow},
		{`,"instance":`, c.Instance},
		{`,"userAgent":`, c.UserAgent},
		{`,"authUser":`, c.AuthUser},
	} {
		if f.value != "" {
			b = appendString(append(b, f.name...), f.value)
		}
	}
	if c.RegID != 0 {
		b = strconv.AppendInt(append(b, `,"regId":`...), int64(c.RegID), 10)
	}
	b = strconv.AppendInt(append(b, `,"q":`...), int64(c.Q), 10)
	for i, p := range c.Path {
		if i == 0 {
			b = append(b, `,"path":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendString(b, p)
	}
	if len(c.Path) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}

// decodeValues reads the values of a reply and puts them in the order of an
// answer. What has ended at now, or is no binding, is left out.
func decodeValues(out []Binding, values []any, now int64) []Binding {
	out = slices.Grow(out, len(values))
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			continue
		}
		if b, err := parseRecord(s); err == nil && b.live(now) {
			out = append(out, b)
		}
	}
	sortBindings(out)
	return out
}
