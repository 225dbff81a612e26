package inventory

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"pbx.dev/dialtone/internal/phone"
)

func testCache(hit, miss int) *cache[string, int] {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "x"})
	return newStringCache[int](hit, miss, c, c)
}

// constant is a load that counts how often it is called.
func constant(v int, err error, calls *int) func(string) (int, error) {
	return func(string) (int, error) { *calls++; return v, err }
}

// What was read before a drop, a clear or a switch is not kept after it.
func TestCacheRefusesWhatIsOlderThanAChange(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*cache[string, int]){
		"drop":   func(c *cache[string, int]) { c.drop("k") },
		"clear":  func(c *cache[string, int]) { c.clear() },
		"switch": func(c *cache[string, int]) { c.switchTo(false); c.switchTo(true) },
	} {
		for _, before := range []error{nil, phone.ErrNotFound} {
			c := testCache(100, 100)
			_, err := c.get("k", func(string) (int, error) {
				change(c) // a commit comes between our reading and our keeping
				return 1, before
			})
			if !errors.Is(err, before) {
				t.Errorf("%s: %v", name, err)
			}
			calls := 0
			if v, err := c.get("k", constant(2, nil, &calls)); v != 2 || err != nil || calls != 1 {
				t.Errorf("%s: got the old value %d, %v", name, v, err)
			}
		}
	}
}

func TestCacheKeeps(t *testing.T) {
	t.Parallel()
	c := testCache(100, 100)
	for _, want := range []error{nil, phone.ErrNotFound, errors.New("database is away")} {
		calls := 0
		key := fmt.Sprint(want)
		for range 3 {
			if _, err := c.get(key, constant(1, want, &calls)); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		kept := want == nil || errors.Is(want, phone.ErrNotFound)
		if (calls == 1) != kept {
			t.Errorf("%v: %d calls", want, calls)
		}
	}
	c.switchTo(false)
	calls := 0
	for range 3 {
		if _, err := c.get("k", constant(1, nil, &calls)); err != nil {
			t.Error(err)
		}
	}
	if calls != 3 {
		t.Errorf("kept while nobody tells of changes: %d calls", calls)
	}
}

// Unknown names stay within bounds of their own and push out no known one.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	const hits, misses = 10 * cacheShards, 2 * cacheShards
	c := testCache(hits, misses)
	calls := 0
	for i := range 5 {
		_, _ = c.get(fmt.Sprint("known", i), constant(i, nil, &calls))
	}
	for i := range 10 * misses {
		_, _ = c.get(fmt.Sprint("unknown", i), constant(0, phone.ErrNotFound, &calls))
	}
	calls = 0
	for i := range 5 {
		_, _ = c.get(fmt.Sprint("known", i), constant(i, nil, &calls))
	}
	if calls != 0 {
		t.Errorf("%d known ones were pushed out", calls)
	}
	for i := range 3 * hits {
		_, _ = c.get(fmt.Sprint("known", i), constant(i, nil, &calls))
	}
	kept, absent := 0, 0
	for i := range c.shards {
		kept += len(c.shards[i].hit)
		absent += len(c.shards[i].miss)
	}
	if kept > hits || absent > misses || kept < hits/2 || absent < misses/2 {
		t.Errorf("%d kept of at most %d, %d absent of at most %d", kept, hits, absent, misses)
	}
}

// Against a plain map, with changes at any time, also while a value is loaded.
func TestCacheIsLikeAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := testCache(3*cacheShards, 2*cacheShards)
		truth := map[string]int{}
		key := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		set := func(k string, v int) {
			if truth[k] = v; v == 0 {
				delete(truth, k)
			}
			c.drop(k)
		}
		load := func(k string) (int, error) {
			v, found := truth[k]
			if rapid.Bool().Draw(t, "changes meanwhile") {
				set(key.Draw(t, "changed"), rapid.IntRange(0, 9).Draw(t, "to"))
			}
			if !found {
				return 0, phone.ErrNotFound
			}
			return v, nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) { set(key.Draw(t, "key"), rapid.IntRange(0, 9).Draw(t, "value")) },
			"get": func(t *rapid.T) {
				k := key.Draw(t, "key")
				want, found := truth[k]
				got, err := c.get(k, load)
				if got != want || (err == nil) != found {
					t.Fatalf("%s: got %d, %v, want %d, %v", k, got, err, want, found)
				}
			},
		})
	})
}

// While the database is away what was known last is good, for a while, and nothing else;
// and not what was changed here since.
func TestCacheOutlastsTheDatabase(t *testing.T) {
	t.Parallel()
	c := testCache(100, 100)
	now := time.Now()
	c.outlast, c.now = time.Hour, func() time.Time { return now }
	calls := 0
	away := fmt.Errorf("read: %w", phone.ErrUnavailable)
	ask := func(k string, err error) (int, error) { return c.get(k, constant(0, err, &calls)) }
	for _, k := range []string{"a", "b"} {
		if _, err := c.get(k, constant(7, nil, &calls)); err != nil {
			t.Fatal(err)
		}
	}
	c.switchTo(false)
	c.switchTo(false) // again, and loses nothing
	c.drop("b")
	calls = 0
	for k, want := range map[string]error{"a": nil, "b": away, "never seen": away} {
		v, err := ask(k, away)
		if !errors.Is(err, want) || want == nil && v != 7 {
			t.Errorf("%s: %d, %v; want %v", k, v, err, want)
		}
	}
	if calls != 3 {
		t.Errorf("the database was asked %d times, want each time", calls)
	}
	if _, err := ask("a", phone.ErrNotFound); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("it is there after all: %v", err)
	}
	other := errors.New("a fault of ours")
	if _, err := ask("a", other); !errors.Is(err, other) {
		t.Errorf("another error: %v", err)
	}
	now = now.Add(time.Hour + time.Second)
	if _, err := ask("a", away); !errors.Is(err, phone.ErrUnavailable) {
		t.Errorf("after an hour: %v", err)
	}
	now = now.Add(-time.Hour)
	c.switchTo(true)
	if _, err := ask("a", away); !errors.Is(err, phone.ErrUnavailable) {
		t.Errorf("after it was back: %v", err)
	}
}
