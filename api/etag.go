package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// deviceTag and extensionTag are entity tags of what an administrator can change,
// for If-Match (RFC 9110 section 13.1.1). What phones do moves neither.
func deviceTag(d phone.Device) string { return `"r` + strconv.FormatInt(d.Revision, 10) + `"` }

func extensionTag(e phone.Extension) string {
	return `"u` + strconv.FormatInt(e.UpdatedAt.UnixMilli(), 10) + `"`
}

// unchanged reports whether a write may be done to the thing with this tag: 412 when
// If-Match names others, so that nobody overwrites what he has not seen.
func unchanged(r *http.Request, tag string) error {
	given := r.Header.Values("If-Match")
	if len(given) == 0 {
		return nil
	}
	var tags []string
	for t := range strings.SplitSeq(strings.Join(given, ","), ",") {
		tags = append(tags, strings.TrimSpace(t))
	}
	if slices.Contains(tags, "*") || slices.Contains(tags, tag) {
		return nil
	}
	if tag == "" {
		return refuse(http.StatusPreconditionFailed, "It has no ETag: nobody provisioned it.")
	}
	return refuse(http.StatusPreconditionFailed, "It has changed since; read it again. Its ETag is "+tag+".")
}
