package digest

import (
	"encoding/binary"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

func nonceNumber(i int) (id nonceID) {
	binary.BigEndian.PutUint64(id[:], uint64(i))
	return id
}

func TestRecordIsBoundedAndNeverForgetsAUse(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_700_000_000, 0)
	r := newRecord(time.Hour, start)
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Millisecond) }
	const uses = 3*recordSize + 10
	for i := range uses {
		if !r.admit(use{nonce: nonceNumber(i), issued: at(i), count: 1, retry: uint64(i)}, at(i)) {
			t.Fatalf("first use of nonce %d refused", i)
		}
	}
	if n := len(r.current) + len(r.previous); n > 2*recordSize {
		t.Errorf("%d nonces remembered, want at most %d", n, 2*recordSize)
	}
	for _, i := range []int{0, 1, recordSize, 2*recordSize - 1, 3 * recordSize, uses - 1} {
		if r.admit(use{nonce: nonceNumber(i), issued: at(i), count: 1, retry: 1 << 60}, at(uses)) {
			t.Errorf("nonce %d was admitted a second time", i)
		}
	}
}

func TestRecordForgetsWhatHasExpired(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_700_000_000, 0)
	r := newRecord(time.Hour, start)
	for i := range 5 {
		now := start.Add(time.Duration(i) * 40 * time.Minute)
		if !r.admit(use{nonce: nonceNumber(i), issued: now, count: 1}, now) {
			t.Fatalf("use %d refused", i)
		}
	}
	if n := len(r.current) + len(r.previous); n > 4 {
		t.Errorf("%d nonces remembered after 2 h 40 min, want the expired ones gone", n)
	}
}

func TestHashCacheIsBoundedAndFollowsThePassword(t *testing.T) {
	t.Parallel()
	h := newHashCache()
	for i := range hashCacheSize {
		h.hashes[hashKey{username: string(binary.BigEndian.AppendUint32(nil, uint32(i)))}] = hashEntry{}
	}
	c := &credentials{username: "101"}
	old, changed := secret("old"), secret("new")
	h.put(c, old, c.alg.ha1("101", "r", "old"))
	if len(h.hashes) != 1 {
		t.Errorf("%d entries after the bound was reached, want 1", len(h.hashes))
	}
	if h.get(c, "r", changed) != c.alg.ha1("101", "r", "new") {
		t.Error("a changed password is answered from the cache")
	}
}

func secret(s string) phone.Secret { return phone.NewSecret(s) }
