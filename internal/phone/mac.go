package phone

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// MAC is the Ethernet address of a device.
type MAC [6]byte

// ParseMAC reads a MAC in any spelling phones and people use: upper or lower
// case, with colons, dashes, dots, blanks, underscores, "%3A" or nothing between
// the digits, and with the zero left out that arp leaves out ("0:4:f2:ab:cd:ef").
// Anything else than twelve hexadecimal digits is ErrInvalid.
func ParseMAC(s string) (MAC, error) {
	if m, ok := sixOctets(s); ok {
		return m, nil
	}
	var m MAC
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == ':' || c == '-' || c == '.' || c == ' ' || c == '_':
			continue
		case c == '%' && i+2 < len(s) && s[i+1] == '3' && (s[i+2]|0x20) == 'a':
			i += 2
			continue
		}
		v, ok := hexDigit(c)
		if !ok || n == 12 {
			return MAC{}, fmt.Errorf("mac address %.40q: %w", s, ErrInvalid)
		}
		m[n/2] = m[n/2]<<4 | v
		n++
	}
	if n != 12 {
		return MAC{}, fmt.Errorf("mac address %.40q: %w", s, ErrInvalid)
	}
	return m, nil
}

// sixOctets reads six numbers of one or two digits with five colons or five dashes
// between them.
func sixOctets(s string) (MAC, bool) {
	var m MAC
	sep := ":"
	if strings.Contains(s, "-") {
		sep = "-"
	}
	parts := strings.Split(strings.TrimSpace(s), sep)
	if len(parts) != len(m) {
		return MAC{}, false
	}
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 16, 8)
		if err != nil || len(p) > 2 {
			return MAC{}, false
		}
		m[i] = byte(v)
	}
	return m, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// String is the form of the REST API: "00:04:F2:AB:CD:EF".
func (m MAC) String() string {
	const digits = "0123456789ABCDEF"
	var b [17]byte
	for i, v := range m {
		if i > 0 {
			b[i*3-1] = ':'
		}
		b[i*3], b[i*3+1] = digits[v>>4], digits[v&15]
	}
	return string(b[:])
}

// Hex is the form of file names and of the database: "0004f2abcdef".
func (m MAC) Hex() string { return hex.EncodeToString(m[:]) }

// IsZero reports whether m is 00:00:00:00:00:00, which no device has.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsGroup reports whether m is a multicast or broadcast address (IEEE 802, I/G bit),
// which no device has.
func (m MAC) IsGroup() bool { return m[0]&1 == 1 }

// MarshalText is String; a zero MAC gives the empty text.
func (m MAC) MarshalText() ([]byte, error) {
	if m.IsZero() {
		return nil, nil
	}
	return []byte(m.String()), nil
}

// UnmarshalText is ParseMAC.
func (m *MAC) UnmarshalText(b []byte) error {
	v, err := ParseMAC(string(b))
	if err != nil {
		return err
	}
	*m = v
	return nil
}
