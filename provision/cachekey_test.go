package provision

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// An ETag is that of the bytes: a server that has started again, or that has thrown the
// file out of its cache, gives the same one, so that phones are answered with 304.
func TestETagOutlivesTheCache(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, change := range map[string]func(*Options){"a server": nil, "another": nil, "one without room": func(o *Options) { o.CacheBytes = 1 }} {
		b := newBench(t, change)
		for range 3 {
			for _, path := range []string{"/805ec0aabbcc.cfg", "/0004f2abcdef-dialtone.cfg", "/cfg000b82123456.xml", "/y000000000000.cfg"} {
				text, f, err := b.fetch(path)
				if err != nil || f.ETag == "" || f.ETag != etagOf([]byte(text)) {
					t.Fatalf("%s: ETag %s, %v", path, f.ETag, err)
				}
				if was, ok := seen[path]; ok && was != f.ETag {
					t.Errorf("%s of %s is %s, was %s", path, name, f.ETag, was)
				}
				seen[path] = f.ETag
			}
		}
	}
}

// The same name is another file at another level of assurance. Both are cached, and
// neither is ever given for the other.
func TestCacheKeepsLevelsApart(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Secrets, o.Below = AssureMTLS, BelowStrip })
	var etags [2]string
	for i := range 6 {
		r := Request{Path: "/805ec0aabbcc.cfg", Proto: "https", Method: "GET", Source: lan}
		proven := i % 2
		if proven == 1 {
			r.ClientMAC = yeaMAC
		}
		text, f, err := b.fetchAs(r)
		if err != nil || strings.Contains(text, "line-secret") != (proven == 1) {
			t.Fatalf("proven %d: %v\n%s", proven, err, text)
		}
		if i > 1 && f.ETag != etags[proven] {
			t.Errorf("proven %d: %s, was %s", proven, f.ETag, etags[proven])
		}
		etags[proven] = f.ETag
	}
	if etags[0] == etags[1] {
		t.Errorf("both levels have %s", etags[0])
	}
	if hits := testutil.ToFloat64(b.metrics.cache.WithLabelValues("hit")); hits != 4 {
		t.Errorf("%v hits of 4", hits)
	}
}

// Another revision of a phone or of its template is another entry; the ETag changes
// with the bytes only.
func TestCacheFollowsRevisions(t *testing.T) {
	t.Parallel()
	variant := templates.Variant{Name: "mine", File: "yealink/phone", Revision: 1, Text: "#!version:1.0.0.1\na.b = {{.MAC.Hex}}\n"}
	library := func() *templates.Library {
		l, errs := templates.NewLibrary(templates.Builtin(), variant)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		return l
	}
	b := newBench(t, func(o *Options) {
		o.Choose = func(file string, d phone.Device) templates.Choice { return library().Pick(file, d.Model, "") }
	})
	last, misses := "", 0.0
	for _, step := range []struct {
		what    string
		do      func()
		changes bool
		misses  float64
	}{
		{"first", func() {}, true, 1},
		{"again", func() {}, false, 0},
		{"a revision of the template that says the same", func() { variant.Revision = 2 }, false, 1},
		{"one that says something else", func() { variant.Revision, variant.Text = 3, variant.Text+"c.d = 1\n" }, true, 1},
		{"a revision of the phone", func() {
			d := b.shelf.devices[yeaMAC]
			d.Revision++
			b.shelf.devices[yeaMAC] = d
		}, false, 1},
		{"again", func() {}, false, 0},
	} {
		step.do()
		_, f, err := b.fetch("/805ec0aabbcc.cfg")
		if err != nil {
			t.Fatal(err)
		}
		misses += step.misses
		if got := testutil.ToFloat64(b.metrics.cache.WithLabelValues("miss")); got != misses {
			t.Errorf("%s: %v misses, want %v", step.what, got, misses)
		}
		if (f.ETag != last) != step.changes {
			t.Errorf("%s: ETag %s after %s", step.what, f.ETag, last)
		}
		last = f.ETag
	}
}
