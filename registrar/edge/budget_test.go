package edge

import (
	"net/netip"
	"testing"
	"time"
)

func TestBudgets(t *testing.T) {
	t.Parallel()
	b := NewBudgets(1024, 2, 4)
	now := time.Unix(1_700_000_000, 0)
	key := b.Key(netip.MustParseAddr("192.0.2.1"), "")
	take := func(n int) (got int) {
		for range n {
			if b.Take(key, 1, now) {
				got++
			}
		}
		return got
	}
	if got := take(10); got != 4 {
		t.Errorf("%d tokens at first, want 4", got)
	}
	now = now.Add(1500 * time.Millisecond)
	if got := take(10); got != 3 {
		t.Errorf("%d tokens after 1.5 s, want 3", got)
	}
	b.Refund(key, 1, now)
	if !b.Has(key, 1, now) || b.Has(key, 2, now) {
		t.Error("want one token after a refund")
	}
	now = now.Add(time.Hour)
	if got := take(10); got != 4 {
		t.Errorf("%d tokens after an hour, want 4", got)
	}
	now = now.Add(-time.Hour) // the clock is set
	if got := take(10); got != 0 {
		t.Errorf("%d tokens since the clock was set, want none", got)
	}
	now = now.Add(time.Second)
	if got := take(10); got != 2 {
		t.Errorf("%d tokens a second after the clock was set, want 2", got)
	}
}

func TestBudgetsDoNotGrowAndKeepTheSpenders(t *testing.T) {
	b := NewBudgets(1<<10, 0.001, 10)
	now := time.Unix(1_700_000_000, 0)
	spender := b.Key(netip.MustParseAddr("198.51.100.7"), "")
	for range 10 {
		b.Take(spender, 1, now)
	}
	allocs := testing.AllocsPerRun(1, func() {
		for i := range 1_000_000 {
			b.Take(b.Key(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), ""), 1, now)
		}
	})
	if allocs > 100 {
		t.Errorf("%v allocations for a million sources", allocs)
	}
	if b.Take(spender, 1, now) {
		t.Error("a spent budget was forgotten in a flood of new sources")
	}
}

func TestBudgetKeys(t *testing.T) {
	t.Parallel()
	b := NewBudgets(1024, 1, 1)
	key := func(addr, name string) uint64 { return b.Key(netip.MustParseAddr(addr), name) }
	if key("2001:db8::1", "") != key("2001:db8::ffff:2", "") || key("2001:db8::1", "") == key("2001:db8:1::1", "") {
		t.Error("want one key for an IPv6 network of 64 bits")
	}
	if key("192.0.2.1", "") == key("192.0.2.2", "") || key("192.0.2.1", "a") == key("192.0.2.1", "b") || key("192.0.2.1", "") == key("192.0.2.1", "a") {
		t.Error("different sources or names share a key")
	}
}
