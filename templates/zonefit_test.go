package templates

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// wallClock is a phone's idea of local time, read from a rendered file with nothing
// of the code that has derived the rule.
type wallClock struct {
	base, saving int
	start, end   yearly
}

// yearly is the week-th weekday (5: the last) of a month, 0 Sunday, and seconds after
// its midnight.
type yearly struct{ month, week, weekday, seconds int }

func (y yearly) at(year, offset int) int64 {
	var days []time.Time
	for d := time.Date(year, time.Month(y.month), 1, 0, 0, 0, 0, time.UTC); d.Month() == time.Month(y.month); d = d.AddDate(0, 0, 1) {
		if d.Weekday() == time.Weekday(y.weekday) {
			days = append(days, d)
		}
	}
	return days[min(y.week, len(days))-1].Unix() + int64(y.seconds) - int64(offset)
}

// table is the offsets that the phone shows, by the instants from which it does.
func (c wallClock) table(from, to int) (at []int64, offsets []int) {
	if c.saving == 0 {
		return []int64{0}, []int{c.base}
	}
	type change struct {
		at     int64
		offset int
	}
	var all []change
	for year := from - 1; year <= to+1; year++ {
		all = append(all, change{c.start.at(year, c.base), c.base + c.saving}, change{c.end.at(year, c.base+c.saving), c.base})
	}
	slices.SortFunc(all, func(a, b change) int { return int(a.at - b.at) })
	for _, x := range all {
		at, offsets = append(at, x.at), append(offsets, x.offset)
	}
	return at, offsets
}

// clockOf reads the file of a vendor's phones as phone-facts/README.md 4 says.
func clockOf(t *testing.T, v phone.Vendor, text string) wallClock {
	t.Helper()
	p, err := readFile(v, text)
	if err != nil {
		t.Fatal(err)
	}
	num := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%q in\n%s", s, text)
		}
		return n
	}
	switch v {
	case phone.Polycom:
		const sntp = "tcpIpApp.sntp."
		rule := func(which string) yearly {
			d := sntp + "daylightSavings." + which + "."
			y := yearly{num(p[d+"month"]), (num(p[d+"date"])-1)/7 + 1, num(p[d+"dayOfWeek"]) - 1, 3600 * num(p[d+"time"])}
			if p[d+"dayOfWeek.lastInMonth"] == "1" || p[d+"dayOfWeek.lastInMonth"] == "true" {
				y.week = 5
			}
			return y
		}
		c := wallClock{base: num(p[sntp+"gmtOffset"])}
		if p[sntp+"daylightSavings.enable"] == "1" {
			c.saving, c.start, c.end = 3600, rule("start"), rule("stop")
		}
		return c
	case phone.Yealink:
		rule := func(text string) yearly {
			f := strings.Split(text, "/")
			return yearly{num(f[0]), num(f[1]), num(f[2]) % 7, 3600 * num(f[3])}
		}
		c := wallClock{base: seconds(p["local_time.time_zone"])}
		if p["local_time.summer_time"] == "1" {
			c.saving, c.start, c.end = 60*num(p["local_time.offset_time"]), rule(p["local_time.start_time"]), rule(p["local_time.end_time"])
		}
		return c
	}
	tz := p["P64"]
	if tz == "customize" {
		tz = p["P246"]
	}
	return posixClock(t, tz)
}

var posixForm = regexp.MustCompile(`^[A-Za-z]{3,}([+-]?[\d:]+)(?:[A-Za-z]{3,}([+-]?[\d:]+)?(?:,M(\d+)\.(\d)\.(\d)(?:/([-\d:]+))?,M(\d+)\.(\d)\.(\d)(?:/([-\d:]+))?)?)?$`)

func posixClock(t *testing.T, text string) wallClock {
	t.Helper()
	f := posixForm.FindStringSubmatch(text)
	if f == nil {
		t.Fatalf("%q is no POSIX time zone", text)
	}
	c := wallClock{base: -seconds(f[1])}
	if strings.TrimLeft(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == f[1] {
		return c
	}
	c.saving = 3600
	if f[2] != "" {
		c.saving = -seconds(f[2]) - c.base
	}
	if f[3] == "" { // as in the United States
		f = posixForm.FindStringSubmatch("AAA0BBB,M3.2.0/2,M11.1.0/2")
	}
	rule := func(f []string) yearly {
		y := yearly{seconds: 2 * 3600}
		fmt.Sscan(strings.Join(f[:3], " "), &y.month, &y.week, &y.weekday)
		if f[3] != "" {
			y.seconds = seconds(f[3])
		}
		return y
	}
	c.start, c.end = rule(f[3:7]), rule(f[7:11])
	return c
}

// seconds reads "+5:30", "-3", "02:00:00".
func seconds(text string) int {
	sign := 1
	if strings.HasPrefix(text, "-") {
		sign = -1
	}
	total := 0
	for i, part := range strings.Split(strings.TrimLeft(text, "+-"), ":") {
		n, _ := strconv.Atoi(part)
		total += n * []int{3600, 60, 1}[i]
	}
	return sign * total
}

// wrongOf is for how long the phone is wrong, and when it was first: hour by hour, and
// by quarters in hours in which a clock changes.
func (c wallClock) wrongOf(truth []int, loc *time.Location, from time.Time) (wrong time.Duration, first time.Time) {
	at, offsets := c.table(from.Year(), from.Year()+Ahead)
	i := 0
	shown := func(t int64) int {
		for i+1 < len(at) && at[i+1] <= t {
			i++
		}
		return offsets[i]
	}
	for h := range len(truth) - 1 {
		const quarter = 15 * time.Minute
		t := from.Add(time.Duration(h) * time.Hour)
		n, now := 0, shown(t.Unix())
		if i+1 < len(at) && at[i+1] < t.Unix()+3600 || truth[h] != truth[h+1] {
			for q := range 4 {
				t := t.Add(time.Duration(q) * quarter)
				if _, zone := t.In(loc).Zone(); zone != shown(t.Unix()) {
					n++
				}
			}
		} else if now != truth[h] {
			n = 4
		}
		if n > 0 && wrong == 0 {
			first = t
		}
		wrong += time.Duration(n) * quarter
	}
	return wrong, first
}

// hourly is the offset of a zone at every hour of the years looked at.
func hourly(loc *time.Location, from time.Time) (out []int) {
	for t := from; !t.After(from.AddDate(Ahead, 0, 0)); t = t.Add(time.Hour) {
		_, zone := t.In(loc).Zone()
		out = append(out, zone)
	}
	return out
}

// fitFrom is where the years of the tests begin: the table in docs/VENDORS.md must
// not change with the day.
var fitFrom = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Every zone of the database, in the file of every vendor, read back and compared
// with the zone over three years: what is wrong is what Wrong says and what
// docs/VENDORS.md lists.
func TestZonesAgainstClocks(t *testing.T) {
	t.Parallel()
	misfits := map[string]map[phone.Vendor]time.Duration{}
	exact := 0
	zones := mustZones(t)
	for _, name := range zoneNames(t) {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		tz, err := zones.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		truth := hourly(loc, fitFrom)
		for _, v := range phone.Vendors() {
			view := common(t, v)
			view.TimeZone = tz
			wrong, first := clockOf(t, v, render(t, string(v)+"/common", view)).wrongOf(truth, loc, fitFrom)
			if said := view.TimeZone.Wrong(v, fitFrom); said != wrong {
				t.Errorf("%s, %s: wrong for %s (first at %s), said to be %s", name, v, wrong, first, said)
			}
			if wrong == 0 {
				exact++
				continue
			}
			if misfits[name] == nil {
				misfits[name] = map[phone.Vendor]time.Duration{}
			}
			misfits[name][v] = wrong
		}
	}
	if exact < 1500 {
		t.Errorf("only %d files are exact", exact)
	}
	documented(t, "zones", misfitTable(misfits))
}

func misfitTable(misfits map[string]map[phone.Vendor]time.Duration) string {
	zones := map[string][]string{} // by row
	for name, wrong := range misfits {
		row := ""
		for _, v := range phone.Vendors() {
			row += " " + hours(wrong[v]) + " |"
		}
		zones[row] = append(zones[row], name)
	}
	var rows []string
	for row, names := range zones {
		slices.Sort(names)
		rows = append(rows, "| "+strings.Join(names, ", ")+" |"+row+"\n")
	}
	slices.Sort(rows)
	return "\n| zones | Polycom | Yealink | Grandstream |\n|---|---|---|---|\n" + strings.Join(rows, "") + "\n"
}

func hours(d time.Duration) string {
	switch {
	case d == 0:
		return "exact"
	case d >= 72*time.Hour:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	}
	return strconv.FormatFloat(d.Hours(), 'g', -1, 64) + " h"
}

// documented holds a part of docs/VENDORS.md to what code says.
func documented(t *testing.T, part, want string) {
	t.Helper()
	const file = "../docs/VENDORS.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+part+" made by templates: go test ./templates -run Zones -update -->\n", "<!-- end of "+part+" -->\n"
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the marks are missing")
	}
	whole := head + begin + want + end + tail
	if *update {
		if err := os.WriteFile(file, []byte(whole), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(whole, string(text)); diff != "" {
		t.Errorf("docs/VENDORS.md is not what the zones say; run with -update (-want +got):\n%s", diff)
	}
}
