package httpd

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

const (
	nonceLife = 5 * time.Minute
	// nonceUses bounds the nonces whose uses are remembered; they are remembered only
	// after the password proved right.
	nonceUses = 16384
	timeLen   = 8
	saltLen   = 8
	sealLen   = 16
)

// nonces makes and checks nonces. A nonce is a time, chance and an HMAC over both: a
// challenge costs no memory, and any node that shares the key knows it again. How
// often one was used each node remembers by itself.
type nonces struct {
	key []byte

	mu    sync.Mutex
	since time.Time                   // when now was begun
	now   map[[saltLen]byte]useWindow // uses of the nonces used last
	past  map[[saltLen]byte]useWindow // and of those before
}

// useWindow are the counts that were used with a nonce: the highest, and which of the
// 64 below it, since a phone asks for several files at a time.
type useWindow struct {
	high uint32
	seen uint64 // bit i: high-i
}

func newNonces(key []byte) *nonces {
	return &nonces{key: key, now: map[[saltLen]byte]useWindow{}, past: map[[saltLen]byte]useWindow{}}
}

func (n *nonces) mint(now time.Time) string {
	b := make([]byte, timeLen+saltLen, timeLen+saltLen+sealLen)
	binary.BigEndian.PutUint64(b, uint64(now.UnixMilli())) //nolint:gosec // after 1970
	_, _ = rand.Read(b[timeLen:])                          // never fails
	return base64.RawURLEncoding.EncodeToString(append(b, n.seal(b)...))
}

func (n *nonces) seal(b []byte) []byte {
	m := hmac.New(sha256.New, n.key)
	m.Write(b)
	return m.Sum(nil)[:sealLen]
}

// use counts a use of the nonce: errWrong when it is none of ours, errStale when it is
// old, errReplay when it was used with this count before.
func (n *nonces) use(nonce string, count uint32, now time.Time) error {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != timeLen+saltLen+sealLen || !hmac.Equal(n.seal(b[:timeLen+saltLen]), b[timeLen+saltLen:]) {
		return errWrong
	}
	age := now.Sub(time.UnixMilli(int64(binary.BigEndian.Uint64(b)))) //nolint:gosec // our own number
	if age > nonceLife || age < -nonceLife {
		return errStale
	}
	return n.count([saltLen]byte(b[timeLen:]), count, now)
}

func (n *nonces) count(salt [saltLen]byte, count uint32, now time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Sub(n.since) > nonceLife {
		n.past, n.now, n.since = n.now, map[[saltLen]byte]useWindow{}, now
	}
	w, ok := n.now[salt]
	if !ok {
		w, ok = n.past[salt]
	}
	if !ok && len(n.now) >= nonceUses {
		return errStale // no room to remember: the phone asks again with a new one
	}
	if !w.use(count) {
		return errReplay
	}
	n.now[salt] = w
	return nil
}

// use reports whether count is new. Without a count (RFC 2069) a nonce is good once.
func (w *useWindow) use(count uint32) bool {
	if count == 0 {
		count = 1
	}
	if count > w.high {
		if shift := count - w.high; shift < 64 {
			w.seen <<= shift
		} else {
			w.seen = 0
		}
		w.high = count
		w.seen |= 1
		return true
	}
	below := w.high - count
	if below >= 64 || w.seen&(1<<below) != 0 {
		return false
	}
	w.seen |= 1 << below
	return true
}
