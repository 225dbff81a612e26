package templates

import (
	"fmt"
	"strconv"
	"strings"
)

// posix writes the zone as a POSIX TZ string in the spelling of Grandstream's own
// list: "CET-1CEST-2,M3.5.0/02:00:00,M10.5.0/03:00:00". Offsets count westwards.
func (tz TimeZone) posix() string {
	s := tz.Abbr + posixOffset(-tz.Offset)
	if tz.Saving == 0 {
		return s
	}
	return s + tz.SaveAbbr + posixOffset(-tz.Offset-tz.Saving) + "," + tz.Start.posix() + "," + tz.End.posix()
}

func posixOffset(sec int) string {
	sign := ""
	if sec < 0 {
		sign, sec = "-", -sec
	}
	if sec%3600 == 0 {
		return sign + strconv.Itoa(sec/3600)
	}
	return fmt.Sprintf("%s%d:%02d", sign, sec/3600, sec/60%60)
}

func (r Rule) posix() string {
	sec, sign := r.Seconds, ""
	if sec < 0 {
		sec, sign = -sec, "-"
	}
	return fmt.Sprintf("M%d.%d.%d/%s%02d:%02d:%02d", r.Month, r.Week, r.Weekday, sign, sec/3600, sec/60%60, sec%60)
}

// parsePOSIX reads the TZ strings of Grandstream's list. A zone with a summer name
// and no rule has the rule of the United States, as in glibc.
func parsePOSIX(s string) (TimeZone, bool) {
	var tz TimeZone
	zones, rules, hasRules := strings.Cut(s, ",")
	var ok bool
	if tz.Abbr, zones, ok = posixName(zones); !ok {
		return tz, false
	}
	off, zones, ok := posixNumber(zones)
	if !ok {
		return tz, false
	}
	tz.Offset = -off
	if zones == "" {
		return tz, !hasRules
	}
	if tz.SaveAbbr, zones, ok = posixName(zones); !ok {
		return tz, false
	}
	tz.Saving = 3600
	if zones != "" {
		if off, zones, ok = posixNumber(zones); !ok || zones != "" {
			return tz, false
		}
		tz.Saving = -off - tz.Offset
	}
	if !hasRules {
		rules = "M3.2.0,M11.1.0"
	}
	from, to, ok := strings.Cut(rules, ",")
	if !ok {
		return tz, false
	}
	var ok2 bool
	tz.Start, ok = posixRule(from)
	tz.End, ok2 = posixRule(to)
	return tz, ok && ok2
}

func posixName(s string) (name, rest string, ok bool) {
	n := 0
	for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z') {
		n++
	}
	return s[:n], s[n:], n >= 3
}

// posixNumber reads [+-]hh[:mm[:ss]] as seconds.
func posixNumber(s string) (sec int, rest string, ok bool) {
	n, sign := 0, 1
	if s != "" && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == ':') {
		n++
	}
	unit := 3600
	for part := range strings.SplitSeq(s[:n], ":") {
		v, err := strconv.Atoi(part)
		if err != nil || unit == 0 {
			return 0, s, false
		}
		sec += v * unit
		unit /= 60
	}
	return sign * sec, s[n:], true
}

func posixRule(s string) (Rule, bool) {
	date, at, timed := strings.Cut(s, "/")
	r := Rule{Seconds: 2 * 3600}
	if timed {
		sec, rest, ok := posixNumber(at)
		if !ok || rest != "" {
			return r, false
		}
		r.Seconds = sec
	}
	parts := strings.Split(strings.TrimPrefix(date, "M"), ".")
	if len(parts) != 3 || !strings.HasPrefix(date, "M") {
		return r, false
	}
	for i, p := range []*int{&r.Month, &r.Week, &r.Weekday} {
		v, err := strconv.Atoi(parts[i])
		if err != nil {
			return r, false
		}
		*p = v
	}
	return r.forPhones(), true
}
