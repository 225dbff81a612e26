package location

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// shardOf spreads AORs over n shards (FNV-1a). It is part of the layout in
// Redis: changing it would lose every stored binding.
func shardOf(aor AOR, n int) int {
	h := uint32(2166136261)
	for i := 0; i < len(aor); i++ {
		h = (h ^ uint32(aor[i])) * 16777619
	}
	return int(h % uint32(n))
}

// keySafe reports whether c may stand in a key as it is: everything else would
// end a part of the key, a hash tag or a pattern.
func keySafe(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		return true
	}
	return c == '.' || c == '_' || c == '+' || c == '@' || c == '-'
}

// escape makes a part of a key of s: bytes outside [A-Za-z0-9._+@-] become %XX.
func escape(s string) string {
	i := 0
	for i < len(s) && keySafe(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	const digits = "0123456789ABCDEF"
	b := append(make([]byte, 0, len(s)+8), s[:i]...)
	for ; i < len(s); i++ {
		if c := s[i]; keySafe(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

// unescape is the inverse of escape. A lone '%', which escape never writes,
// stays as it is.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(v))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// position is where a List goes on: after member of that shard.
type position struct {
	shard  int
	member string // "" is before the first
}

var errCursor = errors.New("cursor is not one of ours")

func (p position) cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(p.shard) + ":" + p.member))
}

func parseCursor(s string, shards int) (position, error) {
	if s == "" {
		return position{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return position{}, errCursor
	}
	shard, member, ok := strings.Cut(string(b), ":")
	n, err := strconv.Atoi(shard)
	if !ok || err != nil || n < 0 || n >= shards {
		return position{}, errCursor
	}
	return position{shard: n, member: member}, nil
}

// Times are whole milliseconds everywhere: it is what Redis keeps, and what
// makes both stores answer alike.
func toMillis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// ttlMillis rounds up: a binding never ends before it was promised to.
func ttlMillis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
