package useragent

import (
	"regexp"
	"strings"
)

// The revision of the hardware stands in few texts: "Grandstream Model HW GXV3240
// V1.6B SW 1.0.1.27 ...", "Grandstream HT-503  V1.1B 1.0.10.9", "Yealink-T46G
// 28.71.0.81 28.1.0.128.0.0.0" (phone-facts/README.md section 1, user_agents.csv).
var (
	grandstreamHardware = regexp.MustCompile(`^Grandstream (?:Model HW )?\S+\s+(V\d[\w.]*)\s`)
	yealinkHardware     = regexp.MustCompile(`(?i)^yealink\S*(?:\s+\S+)?\s+\d+\.\d+\.\d+\.\d+\s+(\d+(?:\.\d+){3,})\s*$`)
	updater             = regexp.MustCompile(`Type/Updater\s*$`)
)

// Revision returns the revision of the hardware that a User-Agent states; empty
// when it does not.
func Revision(ua string) string {
	ua = strings.TrimSpace(Clean(ua))
	for _, expr := range []*regexp.Regexp{grandstreamHardware, yealinkHardware} {
		if m := expr.FindStringSubmatch(ua); m != nil {
			return m[1]
		}
	}
	return ""
}

// FromUpdater reports whether the text is that of a Polycom's updater, whose
// version is not that of the phone (phone-facts/request_sequence.md 1.2 [V WZ]).
func FromUpdater(ua string) bool { return updater.MatchString(Clean(ua)) }
