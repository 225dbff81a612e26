package templates

import (
	"fmt"
	"sort"
	"time"
	_ "time/tzdata" // phones need their rules on hosts without a zone database

	"pbx.dev/dialtone/internal/phone"
)

// TimeZone is a time zone as phones are told of it: one fixed offset or two that
// alternate by a yearly rule.
type TimeZone struct {
	Name     string // IANA name
	Offset   int    // seconds east of UTC without daylight saving
	Saving   int    // seconds added while daylight saving is on; 0: never
	Start    Rule   // when daylight saving begins, in local time before the change
	End      Rule   // when it ends, in local time before the change
	Abbr     string // "CET"; "STD" when the database has none in letters
	SaveAbbr string // "CEST"; "DST" when the database has none in letters

	YealinkZone string // local_time.time_zone: "+1", "+5:30", "0"
	YealinkName string // local_time.time_zone_name; empty: the vendor's list has none that fits
	Grandstream string // P64: a value of the vendor's list or "customize"
	POSIX       string // the rule as a POSIX TZ string, for P246
}

// Rule is one yearly change of the clock.
type Rule struct {
	Month   int // 1..12
	Week    int // 1..4: the first to fourth such weekday of the month, 5: the last
	Weekday int // 0 Sunday .. 6 Saturday
	Seconds int // after midnight that starts the day; can be negative or over 24 h

	// What phones understand. Phones know whole hours 0..23 only: a change at 24:00
	// (America/Santiago) is written as 23, one before midnight (America/Nuuk) as 0.
	Hour      int
	Last      bool // Week is 5
	Date      int  // day of the month the week starts on: 1, 8, 15, 22; 22 for the last
	SundayOne int  // weekday, 1 Sunday .. 7 Saturday (Polycom)
	MondayOne int  // weekday, 1 Monday .. 7 Sunday (Yealink)
}

// The years that rules are derived from. Zone files list single changes for some
// zones until 2087 (Africa/Casablanca); later years follow the rule in force today,
// for ever. 28 years see every date on every weekday.
const (
	firstRuleYear = 2090
	ruleYears     = 28
)

// loadZone derives the yearly rule of an IANA zone from the zone database.
func loadZone(name string) (TimeZone, error) {
	loc, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return TimeZone{}, phone.Invalid("timezone", fmt.Sprintf("no IANA time zone %.60q", name))
	}
	var begins, ends []time.Time
	regular := true
	for year := firstRuleYear; year < firstRuleYear+ruleYears; year++ {
		b, e, n := changes(loc, year)
		regular = regular && n == 2
		begins, ends = append(begins, b), append(ends, e)
	}
	tz := TimeZone{Name: name}
	std := time.Date(firstRuleYear, 1, 1, 0, 0, 0, 0, time.UTC).In(loc)
	if regular {
		start, ok1 := deriveRule(begins)
		end, ok2 := deriveRule(ends)
		if ok1 && ok2 {
			_, tz.Offset = begins[0].Zone()
			_, saved := ends[0].Zone()
			tz.Saving, tz.Start, tz.End = saved-tz.Offset, start, end
			tz.SaveAbbr = letters(abbrAt(ends[0], loc, -time.Second), "DST")
			std = begins[0].Add(-time.Second).In(loc)
		}
	}
	if tz.Saving == 0 {
		tz.Offset = offset(std, loc)
	}
	tz.Abbr = letters(abbrAt(std, loc, 0), "STD")
	return tz, nil
}

// changes returns the two instants of a year at which the clock goes forward and
// back, each in a zone with the offset before the change, and how many changes the
// year has. Zones with "negative" daylight saving (Europe/Dublin, where winter is
// the exception) come out like all others: summer is the larger offset.
func changes(loc *time.Location, year int) (forward, back time.Time, n int) {
	t := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	stop := time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC)
	for ; t.Before(stop); t = t.AddDate(0, 0, 1) {
		before, after := offset(t, loc), offset(t.AddDate(0, 0, 1), loc)
		if before == after {
			continue
		}
		at := changeOn(t, before, loc).In(time.FixedZone("", before))
		if after > before {
			forward = at
		} else {
			back = at
		}
		n++
	}
	return forward, back, n
}

// changeOn is the instant in the day after t at which the offset is no more before.
// Time.ZoneBounds would do, but ends leap years a day early by rule strings.
func changeOn(t time.Time, before int, loc *time.Location) time.Time {
	sec := sort.Search(86400, func(i int) bool { return offset(t.Add(time.Duration(i)*time.Second), loc) != before })
	return t.Add(time.Duration(sec) * time.Second)
}

func offset(t time.Time, loc *time.Location) int {
	_, sec := t.In(loc).Zone()
	return sec
}

// deriveRule finds the rule that gives all the instants: the same month, weekday,
// week and time of day. Rules of the kind "Saturday 24:00" put the instant on the
// next day, so that neighbouring days are tried as well.
func deriveRule(at []time.Time) (Rule, bool) {
	for _, shift := range []int{0, 1, -1, 2} {
		if r, ok := ruleShifted(at, shift); ok {
			return r.forPhones(), true
		}
	}
	return Rule{}, false
}

func ruleShifted(at []time.Time, shift int) (Rule, bool) {
	var r Rule
	sameWeek, last := true, true
	for i, t := range at {
		if t.IsZero() {
			return Rule{}, false
		}
		day := t.AddDate(0, 0, -shift)
		week := (day.Day()-1)/7 + 1
		this := Rule{
			Month: int(day.Month()), Week: week, Weekday: int(day.Weekday()),
			Seconds: t.Hour()*3600 + t.Minute()*60 + t.Second() + shift*86400,
		}
		if i == 0 {
			r = this
		}
		if this.Month != r.Month || this.Weekday != r.Weekday || this.Seconds != r.Seconds {
			return Rule{}, false
		}
		sameWeek = sameWeek && week == r.Week
		last = last && day.AddDate(0, 0, 7).Month() != day.Month()
	}
	if !sameWeek {
		r.Week = 5
	}
	return r, sameWeek && r.Week < 5 || last
}

// forPhones fills in the derived fields.
func (r Rule) forPhones() Rule {
	r.Hour = min(max(r.Seconds/3600, 0), 23)
	if r.Seconds < 0 {
		r.Hour = 0
	}
	r.Last = r.Week == 5
	r.Date = (min(r.Week, 4)-1)*7 + 1
	r.SundayOne = r.Weekday + 1
	r.MondayOne = (r.Weekday+6)%7 + 1
	return r
}

func abbrAt(t time.Time, loc *time.Location, d time.Duration) string {
	abbr, _ := t.Add(d).In(loc).Zone()
	return abbr
}

// letters returns abbr when it is three to six letters, as POSIX wants a name
// without quotes to be, else instead.
func letters(abbr, instead string) string {
	if len(abbr) < 3 || len(abbr) > 6 {
		return instead
	}
	for _, c := range abbr {
		if c < 'A' || c > 'z' || c > 'Z' && c < 'a' {
			return instead
		}
	}
	return abbr
}
