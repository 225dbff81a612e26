package config

import (
	"fmt"
	"strconv"
	"time"
)

// Duration is a time span that reads as "12h", "30d" or a number of seconds.
type Duration time.Duration

// ParseDuration reads a Duration; days ("30d") are accepted beside what
// time.ParseDuration knows.
func ParseDuration(s string) (Duration, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return Duration(time.Duration(n) * time.Second), nil
	}
	if n := len(s); n > 1 && s[n-1] == 'd' {
		if days, err := strconv.ParseInt(s[:n-1], 10, 32); err == nil {
			return Duration(time.Duration(days) * 24 * time.Hour), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time span such as 12h, 30d or 3600", s)
	}
	return Duration(d), nil
}

// String is a form that ParseDuration reads back.
func (d Duration) String() string {
	const day = Duration(24 * time.Hour)
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return time.Duration(d).String()
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
