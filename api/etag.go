package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// deviceTag, extensionTag and those below are entity tags of what an administrator can change,
// for If-Match (RFC 9110 section 13.1.1). What phones do moves neither.
func deviceTag(d phone.Device) string { return `"r` + strconv.FormatInt(d.Revision, 10) + `"` }

func extensionTag(e phone.Extension) string {
	return `"u` + strconv.FormatInt(e.UpdatedAt.UnixMilli(), 10) + `"`
}

// layerTag is that of a layer of settings; "l0" is of one that is not there.
func layerTag(l phone.Layer) string { return `"l` + strconv.FormatInt(l.Revision, 10) + `"` }

// templateTag moves with every revision and with what is active; "t0.0" is of a
// built-in template that nothing is stored over.
func templateTag(t phone.Template) string {
	return `"t` + strconv.FormatInt(t.Latest, 10) + "." + strconv.FormatInt(t.Active, 10) + `"`
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
