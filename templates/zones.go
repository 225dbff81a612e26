package templates

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"
	"sync"
)

// The vendors' own lists of time zones, from phone-facts/params.
var (
	//go:embed data/yealink_timezones.csv
	yealinkZones string
	//go:embed data/grandstream_timezones.csv
	grandstreamZones string
)

// customize is the P64 value that makes a Grandstream phone read P246.
const customize = "customize"

// Zones answers what a time zone is to each vendor. It keeps what it has derived;
// the zone database bounds how much that can be. It is safe for concurrent use.
type Zones struct {
	yealink     map[string][2]string // IANA name: time_zone, time_zone_name
	grandstream []listedZone

	mu    sync.Mutex
	known map[string]TimeZone
}

type listedZone struct {
	value string
	zone  TimeZone
}

// NewZones reads the vendors' lists.
func NewZones() (*Zones, error) {
	z := &Zones{yealink: map[string][2]string{}, known: map[string]TimeZone{}}
	rows, err := readCSV(yealinkZones, 3)
	if err != nil {
		return nil, fmt.Errorf("yealink time zones: %w", err)
	}
	for _, r := range rows {
		z.yealink[r[0]] = [2]string{r[1], r[2]}
	}
	if rows, err = readCSV(grandstreamZones, 4); err != nil {
		return nil, fmt.Errorf("grandstream time zones: %w", err)
	}
	for _, r := range rows {
		// Entries whose text and value disagree about the offset are left out.
		tz, ok := parsePOSIX(r[0])
		if ok && sameOffset(r[1], tz.Offset) {
			z.grandstream = append(z.grandstream, listedZone{r[0], tz})
		}
	}
	return z, nil
}

func readCSV(text string, columns int) ([][]string, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = columns
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	return rows[1:], nil
}

// sameOffset reports whether "GMT+05:30" is sec.
func sameOffset(gmt string, sec int) bool {
	text := strings.TrimPrefix(gmt, "GMT")
	if text == "" {
		return sec == 0
	}
	v, rest, ok := posixNumber(text)
	return ok && rest == "" && v == sec
}

// Lookup returns the zone with an IANA name. An unknown name is phone.ErrInvalid.
func (z *Zones) Lookup(name string) (TimeZone, error) {
	z.mu.Lock()
	tz, ok := z.known[name]
	z.mu.Unlock()
	if ok {
		return tz, nil
	}
	tz, err := loadZone(name)
	if err != nil {
		return TimeZone{}, err
	}
	tz.POSIX = tz.posix()
	tz.YealinkZone = yealinkOffset(tz.Offset)
	// The list holds wrong offsets (Europe/Riga) and stand-ins of other countries;
	// a name counts only when its offset is the right one.
	if row := z.yealink[name]; row[0] == tz.YealinkZone {
		tz.YealinkName = row[1]
	}
	tz.Grandstream = z.grandstreamValue(tz)
	z.mu.Lock()
	z.known[name] = tz
	z.mu.Unlock()
	return tz, nil
}

func (z *Zones) grandstreamValue(tz TimeZone) string {
	for _, l := range z.grandstream {
		if l.zone.Offset == tz.Offset && l.zone.Saving == tz.Saving && l.zone.Start == tz.Start && l.zone.End == tz.End {
			return l.value
		}
	}
	return customize
}

// yealinkOffset spells an offset as local_time.time_zone: "0", "+1", "-3:30".
func yealinkOffset(sec int) string {
	if sec == 0 {
		return "0"
	}
	sign := "+"
	if sec < 0 {
		sign, sec = "-", -sec
	}
	if sec%3600 == 0 {
		return fmt.Sprintf("%s%d", sign, sec/3600)
	}
	return fmt.Sprintf("%s%d:%02d", sign, sec/3600, sec/60%60)
}
