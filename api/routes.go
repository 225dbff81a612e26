package api

import (
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/gorilla/mux"
)

// base is the path before every call that needs a key.
const base = "/v1/pbx"

// maxPathVar is the longest name of a thing in a path, in bytes.
const maxPathVar = 128

// The scopes of this API. None implies another: a key has what it lists.
const (
	phonesRead      = "pbx:phones:read"
	phonesWrite     = "pbx:phones:write"
	extensionsRead  = "pbx:extensions:read"
	extensionsWrite = "pbx:extensions:write"
	keysWrite       = "pbx:keys:write"
)

// Scopes lists every scope a key can have, those of the calls of this API and
// those of templates and firmware.
func Scopes() []string {
	return []string{
		phonesRead, phonesWrite, extensionsRead, extensionsWrite,
		"pbx:templates:read", "pbx:templates:write", "pbx:firmware:read", "pbx:firmware:write", keysWrite,
	}
}

// handler answers one call. An error is answered by problemOf.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is one call. An empty scope needs no key.
type route struct {
	method string
	path   string
	scope  string
	handle handler
}

// routes is the table of all calls.
func (s *server) routes() []route {
	table := []route{
		{"GET", "/healthz", "", s.healthz},
		{"GET", "/readyz", "", s.readyz},
		{"GET", "/openapi.json", "", s.openapi},

		{"GET", base + "/phones", phonesRead, s.listPhones},
		{"POST", base + "/phones", phonesWrite, s.createPhone},
		{"GET", base + "/phones/stats", phonesRead, s.phoneStats},
		{"POST", base + "/phones/adopt", phonesWrite, s.adoptClaimed},
		{"GET", base + "/phones/{id}", phonesRead, s.getPhone},
		{"PATCH", base + "/phones/{id}", phonesWrite, s.patchPhone},
		{"DELETE", base + "/phones/{id}", phonesWrite, s.deletePhone},
		{"POST", base + "/phones/{id}/credentials", phonesWrite, s.rotateLines},
		{"GET", base + "/phones/{id}/config", phonesRead, s.phoneConfig},
		{"GET", base + "/phones/{id}/timeline", phonesRead, s.phoneTimeline},

		{"GET", base + "/extensions", extensionsRead, s.listExtensions},
		{"POST", base + "/extensions", extensionsWrite, s.createExtension},
		{"GET", base + "/extensions/{number}", extensionsRead, s.getExtension},
		{"PATCH", base + "/extensions/{number}", extensionsWrite, s.patchExtension},
		{"DELETE", base + "/extensions/{number}", extensionsWrite, s.deleteExtension},
		{"POST", base + "/extensions/{number}/credentials", extensionsWrite, s.rotateCredentials},
		{"GET", base + "/extensions/{number}/contacts", extensionsRead, s.extensionContacts},

		{"GET", base + "/keys", keysWrite, s.listKeys},
		{"POST", base + "/keys", keysWrite, s.createKey},
		{"DELETE", base + "/keys/{id}", keysWrite, s.revokeKey},
	}
	table = append(table, s.sessionRoutes()...)
	table = append(table, s.tokenRoutes()...)
	table = append(table, s.enrollmentRoutes()...)
	table = append(table, s.jobRoutes()...)
	table = append(table, s.importRoutes()...)
	table = append(table, s.eventRoutes()...)
	table = append(table, s.auditRoutes()...)
	if s.Replacer != nil {
		table = append(table, route{"POST", base + "/phones/{id}/replace", phonesWrite, s.replacePhone})
	}
	table = append(table, s.uploadRoutes()...)
	if s.Layers != nil {
		table = append(table, s.settingsRoutes()...)
	}
	table = append(table, s.firmwareRoutes()...)
	if s.Templates != nil {
		table = append(table, s.templateRoutes()...)
	}
	table = append(table, s.dhcpRoutes()...)
	table = append(table, s.historyRoutes()...)
	table = append(table, s.supportRoutes()...)
	if s.MetricsHandler != nil {
		table = append(table, route{"GET", "/metrics", "", s.prometheus})
	}
	return table
}

// groupByPath returns the paths in the order they are matched: a name before a
// variable ('{' is after all letters), so that /phones/import is no phone.
func groupByPath(table []route) (paths []string, byPath map[string][]route) {
	byPath = make(map[string][]route)
	for _, r := range table {
		if byPath[r.path] == nil {
			paths = append(paths, r.path)
		}
		byPath[r.path] = append(byPath[r.path], r)
	}
	slices.Sort(paths)
	return paths, byPath
}

func cutBase(path string) (string, bool) { return strings.CutPrefix(path, base) }

// dispatch picks the route of the request's method. HEAD follows GET (RFC 9110
// section 9.3.2; net/http drops the body), and a 405 names what is allowed
// (section 15.5.6).
func (s *server) dispatch(routes []route) handler {
	var allow []string
	for _, r := range routes {
		allow = append(allow, r.method)
		if r.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	allowed := strings.Join(allow, ", ")
	return func(w http.ResponseWriter, r *http.Request) error {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		i := slices.IndexFunc(routes, func(c route) bool { return c.method == method })
		if i < 0 {
			w.Header().Set("Allow", allowed)
			return refuse(http.StatusMethodNotAllowed, "Allowed here: "+allowed+".")
		}
		if routes[i].scope != "" {
			if err := s.authorize(w, r, routes[i].scope); err != nil {
				return err
			}
		}
		for _, v := range mux.Vars(r) {
			if len(v) > maxPathVar || strings.ContainsFunc(v, unicode.IsControl) {
				return missing("resource") // nothing has such a name, and no store need be asked
			}
		}
		if s.Auditor != nil && routes[i].scope != "" {
			// A POST that asks for no more than reading tries something and stores nothing.
			writes := method != http.MethodGet && !strings.HasSuffix(routes[i].scope, ":read")
			w = &audited{ResponseWriter: w, s: s, r: r, writes: writes}
		}
		handle := routes[i].handle
		if s.Replays != nil && routes[i].scope != "" && method == http.MethodPost {
			handle = s.once(handle)
		}
		return handle(w, r)
	}
}
