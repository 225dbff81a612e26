package provision

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// checkZone refuses what is no time zone and warns of one that the files of the
// vendors cannot say, or that follows no yearly rule.
func (s *Service) checkZone(set map[string]string, vendors []phone.Vendor) (warnings []string, err error) {
	name, ok := set["timezone"]
	if !ok {
		return nil, nil
	}
	zone, err := s.zones.Lookup(name)
	if err != nil {
		return nil, phone.Invalid("settings.timezone", "not an IANA time zone")
	}
	for _, v := range vendors {
		if wrong := zone.Wrong(v, s.now()); wrong > 0 && slices.Contains(phone.Vendors(), v) {
			warnings = append(warnings, fmt.Sprintf("settings.timezone: the file of phones of %s cannot say all of %s: in the next %d years their clock is wrong for %s",
				v.DisplayName(), name, templates.Ahead, about(wrong)))
		}
	}
	return warnings, nil
}

// about is a time in hours, or from three days on in days.
func about(d time.Duration) string {
	if d >= 72*time.Hour {
		return count(int(d.Hours()/24+0.5), "day")
	}
	return strconv.FormatFloat(d.Hours(), 'f', -1, 64) + " hours"
}
