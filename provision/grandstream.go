package provision

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// grandstreamBinary packs the P-values of a rendered XML file, in their order, into
// the format that phones asked for before they knew XML (cfg<mac>;
// phone-facts/README.md 2.3): a header of 16 bytes with the length in 16-bit words
// and a checksum that makes the sum of all words zero, then a form.
func grandstreamBinary(mac phone.MAC, doc []byte) ([]byte, error) {
	form, err := grandstreamForm(doc)
	if err != nil {
		return nil, fmt.Errorf("pack P-values: %w", err)
	}
	form += "gnkey=0b82"
	if len(form)%2 == 1 {
		form += "\x00"
	}
	out := make([]byte, 16, 16+len(form))
	copy(out[6:], mac[:])
	copy(out[12:], "\r\n\r\n")
	out = append(out, form...)
	binary.BigEndian.PutUint32(out, uint32(len(out)/2))
	var sum uint16
	for i := 0; i < len(out); i += 2 {
		sum += binary.BigEndian.Uint16(out[i:])
	}
	binary.BigEndian.PutUint16(out[4:], -sum)
	return out, nil
}

// grandstreamForm writes each P-value of the document as "name=value&".
func grandstreamForm(doc []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	var form, value strings.Builder
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return form.String(), nil
		}
		if err != nil {
			return "", err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			value.Reset()
		case xml.CharData:
			value.Write(tok)
		case xml.EndElement:
			if grandstreamParam(tok.Name.Local) {
				form.WriteString(tok.Name.Local + "=" + formEscape(value.String()) + "&")
			}
		}
	}
}

// formEscape is form encoding as the phones expect it: hexadecimal in lower case.
func formEscape(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == ' ':
			b.WriteByte('+')
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', strings.IndexByte(".*_-", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// grandstreamParam reports whether s is the name of a P-value: P and digits.
func grandstreamParam(s string) bool {
	if len(s) < 2 || len(s) > 7 || s[0] != 'P' {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}
