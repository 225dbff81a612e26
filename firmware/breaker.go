package firmware

import (
	"slices"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// A phone that fetches an image this often within this time and reports the same
// version all the while will not take it: a wrong image, a broken one, one that
// its loader refuses. It would go on until somebody pulls its plug.
const (
	loopFetches = 3
	loopWindow  = time.Hour
)

// noteFetch takes a whole fetch of an image into what is known of a phone, and
// reports whether it was the one too many.
func noteFetch(f *phone.FirmwareState, image, version string, now time.Time) (broken bool) {
	if f.Fetched != image || version != f.Version && version != "" && f.Version != "" {
		f.Fetched, f.Fetches, f.StoppedAt = image, nil, time.Time{}
	}
	if version != "" {
		f.Version = version
	}
	old := func(at time.Time) bool { return now.Sub(at) >= loopWindow }
	f.Fetches = append(slices.DeleteFunc(slices.Clone(f.Fetches), old), now)
	if len(f.Fetches) > loopFetches {
		f.Fetches = f.Fetches[len(f.Fetches)-loopFetches:]
	}
	if len(f.Fetches) < loopFetches || !f.StoppedAt.IsZero() {
		return false
	}
	f.StoppedAt = now
	return true
}

// stopped reports whether an image is not offered to a phone any more. A phone
// that reports another version meanwhile has got on.
func stopped(f phone.FirmwareState, image, version string) bool {
	return !f.StoppedAt.IsZero() && f.Fetched == image && (version == "" || f.Version == "" || version == f.Version)
}
