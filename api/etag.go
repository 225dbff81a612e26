package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// The entity tags of what an administrator can change, for If-Match (RFC 9110 section
// 13.1.1). What phones do moves none.

func deviceTag(d phone.Device) string { return `"r` + strconv.FormatInt(d.Revision, 10) + `"` }

func extensionTag(e phone.Extension) string {
	return `"u` + strconv.FormatInt(e.UpdatedAt.UnixMilli(), 10) + `"`
}

// layerTag is that of revision 0 for a layer that is not there.
func layerTag(l phone.Layer) string { return `"l` + strconv.FormatInt(l.Revision, 10) + `"` }

func targetTag(t phone.FirmwareTarget) string {
	return `"f` + strconv.FormatInt(t.UpdatedAt.UnixMilli(), 10) + `"`
}

// templateTag tells built-in templates, which have no revisions, by revision 0. The
// time of the first upload is in it: a template that was deleted may come again.
func templateTag(t phone.Template) string {
	if t.Latest == 0 {
		return `"t0"`
	}
	return fmt.Sprintf(`"t%d.%d.%d"`, t.CreatedAt.UnixMilli(), t.Latest, t.Active)
}

// targetUnchanged and templateUnchanged are unchanged in the transaction of a change.
func targetUnchanged(r *http.Request) phone.Check[phone.FirmwareTarget] {
	return func(stored phone.FirmwareTarget) error { return unchanged(r, targetTag(stored)) }
}

func templateUnchanged(r *http.Request) phone.Check[phone.Template] {
	return func(stored phone.Template) error { return unchanged(r, templateTag(stored)) }
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
