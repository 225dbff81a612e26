package templates

import (
	"archive/zip"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pbx.dev/dialtone/internal/phone"
)

func mustZones(t testing.TB) *Zones {
	t.Helper()
	z, err := NewZones()
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestZoneRules(t *testing.T) {
	t.Parallel()
	rule := func(month, week, weekday, seconds int) Rule {
		return Rule{Month: month, Week: week, Weekday: weekday, Seconds: seconds}.forPhones()
	}
	h := 3600
	for _, want := range []TimeZone{
		{
			Name: "Europe/Paris", Offset: h, Saving: h, Start: rule(3, 5, 0, 2*h), End: rule(10, 5, 0, 3*h),
			Abbr: "CET", SaveAbbr: "CEST", YealinkZone: "+1", YealinkName: "France(Paris)",
			Grandstream: "CET-1CEST-2,M3.5.0/02:00:00,M10.5.0/03:00:00",
			POSIX:       "CET-1CEST-2,M3.5.0/02:00:00,M10.5.0/03:00:00",
		},
		{
			Name: "America/New_York", Offset: -5 * h, Saving: h, Start: rule(3, 2, 0, 2*h), End: rule(11, 1, 0, 2*h),
			Abbr: "EST", SaveAbbr: "EDT", YealinkZone: "-5", YealinkName: "United States-Eastern Time",
			Grandstream: "EST5EDT", POSIX: "EST5EDT4,M3.2.0/02:00:00,M11.1.0/02:00:00",
		},
		{
			Name: "Australia/Sydney", Offset: 10 * h, Saving: h, Start: rule(10, 1, 0, 2*h), End: rule(4, 1, 0, 3*h),
			Abbr: "AEST", SaveAbbr: "AEDT", YealinkZone: "+10", YealinkName: "Australia(Sydney,Melboume,Canberra)",
			Grandstream: "customize", POSIX: "AEST-10AEDT-11,M10.1.0/02:00:00,M4.1.0/03:00:00",
		},
		{
			Name: "America/Santiago", Offset: -4 * h, Saving: h, Start: rule(9, 1, 6, 24*h), End: rule(4, 1, 6, 24*h),
			Abbr: "STD", SaveAbbr: "DST", YealinkZone: "-4", YealinkName: "Chile(Santiago)",
			Grandstream: "customize", POSIX: "STD4DST3,M9.1.6/24:00:00,M4.1.6/24:00:00",
		},
		{
			Name: "Europe/Dublin", Offset: 0, Saving: h, Start: rule(3, 5, 0, h), End: rule(10, 5, 0, 2*h),
			Abbr: "GMT", SaveAbbr: "IST", YealinkZone: "0", YealinkName: "United Kingdom(London)",
			Grandstream: "GMT+0BST-1,M3.5.0/01:00:00,M10.5.0/02:00:00",
			POSIX:       "GMT0IST-1,M3.5.0/01:00:00,M10.5.0/02:00:00",
		},
		{
			Name: "Asia/Kolkata", Offset: 5*h + h/2, Abbr: "IST", YealinkZone: "+5:30", YealinkName: "India(Calcutta)",
			Grandstream: "TZT-5:30", POSIX: "IST-5:30",
		},
		{Name: "UTC", Abbr: "UTC", YealinkZone: "0", YealinkName: "United Kingdom(London)", Grandstream: "TZN+0", POSIX: "UTC0"},
		{Name: "Africa/Casablanca", Offset: h, Abbr: "STD", YealinkZone: "+1", Grandstream: "TZO-1", POSIX: "STD-1"},
		{
			Name: "Europe/Riga", Offset: 2 * h, Saving: h, Start: rule(3, 5, 0, 3*h), End: rule(10, 5, 0, 4*h),
			Abbr: "EET", SaveAbbr: "EEST", YealinkZone: "+2",
			Grandstream: "EET-2EEST-3,M3.5.0/03:00:00,M10.5.0/04:00:00",
			POSIX:       "EET-2EEST-3,M3.5.0/03:00:00,M10.5.0/04:00:00",
		},
		{
			Name: "America/Nuuk", Offset: -2 * h, Saving: h, Start: rule(3, 5, 0, -h), End: rule(10, 5, 0, 0),
			Abbr: "STD", SaveAbbr: "DST", YealinkZone: "-2", Grandstream: "customize",
			POSIX: "STD2DST1,M3.5.0/-01:00:00,M10.5.0/00:00:00",
		},
	} {
		t.Run(want.Name, func(t *testing.T) {
			t.Parallel()
			got, err := mustZones(t).Lookup(want.Name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("zone (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPhoneHoursAreClamped(t *testing.T) {
	t.Parallel()
	for seconds, hour := range map[int]int{-3600: 0, 0: 0, 7200: 2, 23 * 3600: 23, 24 * 3600: 23, 50 * 3600: 23} {
		if got := (Rule{Week: 1, Seconds: seconds}).forPhones().Hour; got != hour {
			t.Errorf("hour of %d s is %d, want %d", seconds, got, hour)
		}
	}
}

// Every zone of the Yealink list gives a POSIX string that reads back to the same
// rule and agrees with the zone database in the middle of each month.
func TestEveryZoneReadsBack(t *testing.T) {
	t.Parallel()
	z := mustZones(t)
	n := 0
	for name := range z.yealink {
		tz, err := z.Lookup(name)
		if err != nil {
			continue // a name that the zone database has dropped
		}
		n++
		back, ok := parsePOSIX(tz.POSIX)
		if !ok || back.Offset != tz.Offset || back.Saving != tz.Saving || back.Start != tz.Start || back.End != tz.End {
			t.Errorf("%s: %q reads back as %+v", name, tz.POSIX, back)
		}
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for month := 1; month <= 12; month++ {
			_, off := time.Date(firstRuleYear+1, time.Month(month), 15, 12, 0, 0, 0, loc).Zone()
			if off != tz.Offset && off != tz.Offset+tz.Saving {
				t.Errorf("%s: offset %d in month %d is neither %d nor %d more", name, off, month, tz.Offset, tz.Saving)
			}
		}
	}
	if n < 350 {
		t.Errorf("only %d zones of the list are known", n)
	}
}

func TestUnknownZone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Local", "Mars/Base", "../etc/passwd"} {
		if _, err := mustZones(t).Lookup(name); !errors.Is(err, phone.ErrInvalid) {
			t.Errorf("Lookup(%q) = %v, want ErrInvalid", name, err)
		}
	}
}

// Every zone of the database in every dialect: a new database that moves a clock
// shows as a difference of this file.
func TestGoldenZones(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, name := range zoneNames(t) {
		tz := zone(t, name)
		fmt.Fprintf(&b, "%s\tpolycom %d", name, tz.Offset)
		if tz.Saving != 0 {
			for _, r := range []Rule{tz.Start, tz.End} {
				fmt.Fprintf(&b, " %d/%d/%d/%d last %t", r.Month, r.Date, r.SundayOne, r.Hour, r.Last)
			}
		}
		fmt.Fprintf(&b, "\tyealink %s %q", tz.YealinkZone, tz.YealinkName)
		if tz.Saving != 0 {
			fmt.Fprintf(&b, " %d", tz.Saving/60)
			for _, r := range []Rule{tz.Start, tz.End} {
				fmt.Fprintf(&b, " %d/%d/%d/%d", r.Month, r.Week, r.MondayOne, r.Hour)
			}
		}
		fmt.Fprintf(&b, "\tgrandstream %s %s\n", tz.Grandstream, tz.POSIX)
	}
	if n := strings.Count(b.String(), "\n"); n < 400 {
		t.Errorf("only %d zones", n)
	}
	golden(t, "zones.txt", b.String())
}

// zonesOfGo is the zone database that comes with Go: the golden file must not depend
// on that of the machine.
func zonesOfGo() string {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		panic(err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip")
}

func zoneNames(t *testing.T) []string {
	t.Helper()
	z, err := zip.OpenReader(zonesOfGo())
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var names []string
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return names
}
