package api

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// FuzzBodies feeds every decoder: what it takes must be readable again, and what
// it refuses must be refused as the client's mistake.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		newPhone, `{}`, `[]`, `{"a":`, `{"lines":[null]}`, `{"lines":[{"line":9223372036854775808}]}`, `{"settings":{"a":null,"":"b"}}`,
		`{"macAddress":null,"name":"\ud800"}`, `{"number":"*7#","name":"Gate"}`, `{"scopes":["pbx:phones:read"],"expiresAt":"2027-01-01T01:00:00+01:00"}`,
		`{"expiresAt":"9999-12-31T23:59:59-01:00"}`, `{"settings":{"a":{"b":{"c":1}}}}`, `{"name":"a","name":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := parseObject(body)
		if err != nil {
			blame(t, err)
			return
		}
		taken(t, phoneInput{}, doc)
		taken(t, inputOf(castDevice()), doc)
		taken(t, newExtension{}, doc)
		taken(t, extensionChange{"101", "Front Desk"}, doc)
		taken(t, newKey{}, doc)
	})
}

// taken merges doc into v and then the same once more, which changes nothing.
func taken[T any](t *testing.T, v T, doc map[string]any) {
	t.Helper()
	once, err := patched(v, doc)
	if err != nil {
		blame(t, err)
		return
	}
	if _, err := json.Marshal(once); err != nil {
		t.Fatalf("taken but not an answer: %v", err)
	}
	twice, err := patched(once, doc)
	if err != nil {
		t.Fatalf("taken once only: %v", err)
	}
	if diff := cmp.Diff(once, twice); diff != "" {
		t.Fatalf("a merge patch is idempotent (-once +twice):\n%s", diff)
	}
}

func blame(t *testing.T, err error) {
	t.Helper()
	if p := problemOf(err); p.Status < 400 || p.Status >= 500 {
		t.Fatalf("refused with %d: %v", p.Status, err)
	}
}

// FuzzQuery: a query is taken or refused, with a limit in range when taken.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "limit=0", "limit=500&cursor=YQ", "macAddress=00%3A04%3af2abcdef", "registered=true&q=%00", "a=1;b=2", "limit=1&limit=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err != nil {
			blame(t, err)
			return
		}
		limit, mac, cursor := q.limit(), q.mac("macAddress"), q.cursor()
		err = q.err()
		if err != nil {
			blame(t, err)
			if !errors.Is(err, phone.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if limit < 1 || limit > maxLimit {
			t.Fatalf("limit %d", limit)
		}
		if mac != nil {
			if again, err := phone.ParseMAC(mac.String()); err != nil || again != *mac {
				t.Fatalf("mac %s", mac)
			}
		}
		if q.text("cursor") != "" && cursor == "" {
			t.Fatalf("cursor of %q", raw)
		}
	})
}
