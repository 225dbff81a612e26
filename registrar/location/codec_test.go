package location

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// anyBinding draws a binding with whatever a hostile phone may put into it.
func anyBinding(t *rapid.T) Binding {
	text := func(name string) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, name)) }
	ms := rapid.Int64Range(0, 1<<42)
	b := Binding{
		AOR: AOR("x" + text("aor")), ID: "x" + text("id"),
		CSeq: rapid.Uint32().Draw(t, "cseq"), RegID: rapid.IntRange(0, math.MaxInt32).Draw(t, "reg-id"), Q: rapid.IntRange(0, 1000).Draw(t, "q"),
		RegisteredAt: fromMillis(ms.Draw(t, "registered")), RefreshedAt: fromMillis(ms.Draw(t, "refreshed")),
		ExpiresAt: fromMillis(ms.Draw(t, "expires")),
	}
	for _, s := range []*string{
		&b.Contact, &b.Params, &b.Received, &b.Transport, &b.Socket, &b.Node, &b.Boot, &b.Flow, &b.CallID,
		&b.Instance, &b.UserAgent, &b.AuthUser, &b.Device,
	} {
		*s = rapid.OneOf(rapid.Just(""), rapid.String(), rapid.Custom(func(t *rapid.T) string { return text("bytes") })).Draw(t, "text")
	}
	for range rapid.IntRange(0, 3).Draw(t, "paths") {
		b.Path = append(b.Path, text("path"))
	}
	return b
}

func TestJournalRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := anyBinding(t)
		kind := rapid.SampledFrom([]ChangeKind{Added, Changed, Refreshed, Removed, Evicted, Expired}).Draw(t, "kind")
		record := appendChanges([]byte("before"), b.AOR, []Change{{kind, b}})[len("before"):]
		var got []Change
		err := replay(string(record[recordHeader:]), func(kind ChangeKind, b Binding) { got = append(got, Change{kind, b}) })
		if err != nil {
			t.Fatal(err)
		}
		var want []Change
		switch kind {
		case Added, Changed:
			want = []Change{{Added, b}}
		case Refreshed:
			want = []Change{{Refreshed, Binding{
				AOR: b.AOR, ID: b.ID, CallID: b.CallID, CSeq: b.CSeq,
				RegisteredAt: b.RegisteredAt, RefreshedAt: b.RefreshedAt, ExpiresAt: b.ExpiresAt,
			}}}
		case Removed, Evicted:
			want = []Change{{Removed, Binding{AOR: b.AOR, ID: b.ID}}}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if c := b.clone(); !cmp.Equal(b, c, cmpopts.EquateEmpty()) {
			t.Fatalf("clone %s", cmp.Diff(b, c))
		}
	})
}

func FuzzReplay(f *testing.F) {
	b := Binding{ID: "a", Contact: "sip:101@192.0.2.1", Path: []string{"<sip:p>"}, RefreshedAt: time.UnixMilli(1)}
	f.Add(string(appendChanges(nil, "1@pbx.dev", []Change{{Added, b}, {Refreshed, b}, {Removed, b}})[recordHeader:]))
	f.Add(string(appendNothing(nil)[recordHeader:]))
	f.Fuzz(func(t *testing.T, payload string) {
		_ = replay(payload, func(ChangeKind, Binding) {})
	})
}

// value is what apply.lua makes of a content.
func value(b *Binding) string {
	callID, content := appendString(nil, b.CallID), appendContent(nil, b, b.AOR)
	return fmt.Sprintf(`{"v":2,"refreshedAt":%s,"expiresAt":%s,"cseq":%s,"registeredAt":%s,"hash":"%s","callId":%s,%s`,
		number(b.RefreshedAt), number(b.ExpiresAt), appendCSeq(nil, b.CSeq), number(b.RegisteredAt),
		appendHash(nil, callID, content), callID, content)
}

func number(t time.Time) string { return jsonText(t.UnixMilli()) }

func jsonText(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestValueRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := anyBinding(t)
		text := value(&b)
		if !json.Valid([]byte(text)) {
			t.Fatalf("not JSON: %s", text)
		}
		got, err := parseRecord(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(b, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", text, diff)
		}
	})
}

func TestValueOfALaterVersion(t *testing.T) {
	t.Parallel()
	b, err := parseRecord(`{"v":3,"registeredAt":1,"new":"text \u0041","more":-12,"list":["a","b"],"none":[""],"aor":"1@pbx.dev","id":"x","q":5}`)
	if err != nil || b.ID != "x" || b.Q != 5 || b.AOR != "1@pbx.dev" {
		t.Errorf("%+v, %v", b, err)
	}
	for _, bad := range []string{
		"", "{", "{}", `{"id":"a"}`, `{"id":"a","aor":"b"`, `{"id":"a\`, `{"id":"\u00"`, `{"id":"\n","aor":"b"}`, `{"cseq":x}`,
		`{"path":["a"`, `{"id" "a"}`, `{"id":"a","aor":"b",}`, `[1]`, `{"id":"\u1234","aor":"b"}`,
	} {
		if b, err := parseRecord(bad); err == nil {
			t.Errorf("%s: read as %+v", bad, b)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	b := Binding{AOR: "1@pbx.dev", ID: "a", Contact: "sip:\"\\\xff", Path: []string{"<sip:p>", ""}}
	f.Add(value(&b))
	f.Fuzz(func(t *testing.T, text string) {
		b, err := parseRecord(text)
		if err != nil {
			return
		}
		// Whatever can be read can be written and read again.
		again, err := parseRecord(value(&b))
		if err != nil || !cmp.Equal(b, again, cmpopts.EquateEmpty()) {
			t.Fatalf("%q: %+v, then %+v, %v", text, b, again, err)
		}
	})
}

func TestEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                  "",
		"101@pbx.dev":       "101@pbx.dev",
		"a:b{c}|*?[%]\x00é": "a%3Ab%7Bc%7D%7C%2A%3F%5B%25%5D%00%C3%A9",
	} {
		if got := escape(in); got != want || unescape(got) != in {
			t.Errorf("%q: %q, back %q", in, got, unescape(got))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOf(rapid.Byte()).Draw(t, "in"))
		out := escape(in)
		if unescape(out) != in || strings.ContainsAny(out, ":{}|*?[]\\ ") {
			t.Fatalf("%q: %q", in, out)
		}
	})
}

// TestShards pins the layout in Redis.
func TestShards(t *testing.T) {
	t.Parallel()
	for aor, want := range map[AOR]int{"101@pbx.dev": 40, "": 5, "a": 44} {
		if got := shardOf(aor, 64); got != want {
			t.Errorf("%q is in shard %d, want %d", aor, got, want)
		}
	}
}

func TestExpiries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var h expiries
		entries := make([]*entry, 20)
		for i := range entries {
			entries[i] = &entry{pos: -1}
		}
		due := map[*entry]int64{}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				e, at := rapid.SampledFrom(entries).Draw(t, "entry"), rapid.Int64Range(1, 50).Draw(t, "due")
				h.put(e, at)
				if old, there := due[e]; !there || at < old {
					due[e] = at
				}
			},
			"delay": func(t *rapid.T) {
				if e := h.first(100); e != nil {
					at := e.due + rapid.Int64Range(0, 20).Draw(t, "by")
					h.delay(e, at)
					due[e] = at
				}
			},
			"remove": func(t *rapid.T) {
				e := rapid.SampledFrom(entries).Draw(t, "entry")
				h.remove(e)
				delete(due, e)
			},
			"": func(t *rapid.T) {
				least := int64(1000)
				for e, at := range due {
					if least = min(least, at); e.due != at || h[e.pos] != e {
						t.Fatalf("due %d at %d, want %d", e.due, e.pos, at)
					}
				}
				if len(h) != len(due) || len(h) > 0 && (h.first(least) == nil || h.first(least).due != least || h.first(least-1) != nil) {
					t.Fatalf("%d entries, want %d; first %v, want %d", len(h), len(due), h, least)
				}
			},
		})
	})
}
