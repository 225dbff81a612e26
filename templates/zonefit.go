package templates

import (
	"slices"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// Ahead is how far ahead Wrong looks: phones fetch their files again long before.
const Ahead = 3 // years

// Wrong is for how long, in the years after from, a phone of v shows another time
// than the zone has, after the file that it gets: not every dialect can say every
// rule, and not every zone follows one (Africa/Casablanca, where Ramadan moves).
func (tz TimeZone) Wrong(v phone.Vendor, from time.Time) time.Duration {
	loc, err := time.LoadLocation(tz.Name)
	if err != nil {
		return 0
	}
	from = from.UTC().Truncate(time.Hour)
	to := from.AddDate(Ahead, 0, 0)
	shown := tz.shownBy(v)
	at := append(shown.changesBetween(from, to), from, to)
	for t := from; t.Before(to); t = t.AddDate(0, 0, 1) {
		if before := offset(t, loc); before != offset(t.AddDate(0, 0, 1), loc) {
			at = append(at, changeOn(t, before, loc))
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	var wrong time.Duration
	for i := 1; i < len(at); i++ {
		if offset(at[i-1], loc) != shown.offsetAt(at[i-1]) {
			wrong += at[i].Sub(at[i-1])
		}
	}
	return wrong
}

// shownBy is the zone as a phone of v understands what its file can say: Polycom and
// Yealink know whole hours of a day only, and Polycom adds one hour, always.
func (tz TimeZone) shownBy(v phone.Vendor) TimeZone {
	if v == phone.Grandstream {
		return tz // POSIX says it all
	}
	tz.Start.Seconds, tz.End.Seconds = tz.Start.Hour*3600, tz.End.Hour*3600
	if v == phone.Polycom && tz.Saving != 0 {
		tz.Saving = 3600
	}
	return tz
}

// in is the instant of the change in a year, while the clock is offset seconds east.
func (r Rule) in(year, offset int) time.Time {
	day := time.Date(year, time.Month(r.Month), 1, 0, 0, 0, 0, time.UTC)
	day = day.AddDate(0, 0, (r.Weekday-int(day.Weekday())+7)%7+7*(r.Week-1))
	if int(day.Month()) != r.Month { // the fifth that is not there
		day = day.AddDate(0, 0, -7)
	}
	return day.Add(time.Duration(r.Seconds-offset) * time.Second)
}

func (tz TimeZone) changesBetween(from, to time.Time) []time.Time {
	var out []time.Time
	for year := from.Year() - 1; tz.Saving != 0 && year <= to.Year()+1; year++ {
		for _, t := range []time.Time{tz.Start.in(year, tz.Offset), tz.End.in(year, tz.Offset+tz.Saving)} {
			if t.After(from) && t.Before(to) {
				out = append(out, t)
			}
		}
	}
	return out
}

// offsetAt is what the last change before t has set the clock to.
func (tz TimeZone) offsetAt(t time.Time) int {
	if tz.Saving == 0 {
		return tz.Offset
	}
	var last time.Time
	now := tz.Offset
	for year := t.Year() - 1; year <= t.Year()+1; year++ {
		if s := tz.Start.in(year, tz.Offset); !s.After(t) && s.After(last) {
			last, now = s, tz.Offset+tz.Saving
		}
		if e := tz.End.in(year, tz.Offset+tz.Saving); !e.After(t) && e.After(last) {
			last, now = e, tz.Offset
		}
	}
	return now
}
