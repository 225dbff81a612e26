package digest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"sync"
	"sync/atomic"
	"time"
)

// A nonce is base64url of the microsecond it was made (8 bytes), a number that
// is unique in that microsecond (4 bytes), its maker (3 bytes) and 12 bytes of
// HMAC-SHA256 over all of them.
const (
	idLen    = 15
	nonceRaw = 27
	nonceLen = 36
	// maxSkew is how far ahead the clock of the node that made a nonce may be.
	maxSkew = time.Minute
)

// nonceID is the part of a nonce that tells it from every other.
type nonceID [idLen]byte

// Maker is who makes nonces: one run of one node.
type Maker [3]byte

// makerOf is the Maker of that name; "" is one by chance.
func makerOf(name string) (m Maker) {
	if name == "" {
		_, _ = rand.Read(m[:]) // never fails (crypto/rand)
		return m
	}
	sum := sha256.Sum256([]byte(name))
	copy(m[:], sum[:])
	return m
}

func (id nonceID) maker() Maker { return Maker(id[12:]) }

func (id nonceID) issued() time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(id[:])))
}

// steady is now by a clock that nobody sets. Were that of the host set back by an
// hour, as a computer does that starts before it knows the time, every nonce would be
// older than this process for an hour, hence stale, and no phone could register.
func steady(now func() time.Time) func() time.Time {
	start := now()
	return func() time.Time { return start.Add(now().Sub(start)) } // by the monotonic clock
}

// nonces makes and recognises nonces of one key.
type nonces struct {
	maker  Maker
	unique atomic.Uint32
	macs   sync.Pool // of *macState
}

type macState struct {
	hash hash.Hash
	raw  [nonceRaw]byte
	sum  [sha256.Size]byte
}

func newNonces(key []byte, maker Maker) *nonces {
	n := &nonces{maker: maker}
	n.macs.New = func() any { return &macState{hash: hmac.New(sha256.New, key)} }
	var start [4]byte
	_, _ = rand.Read(start[:]) // never fails (crypto/rand)
	n.unique.Store(binary.BigEndian.Uint32(start[:]))
	return n
}

// sign fills in the sum over the first idLen bytes of raw.
func (m *macState) sign() []byte {
	m.hash.Reset()
	m.hash.Write(m.raw[:idLen])
	return m.hash.Sum(m.sum[:0])[:nonceRaw-idLen]
}

// append appends a new nonce to dst.
func (n *nonces) append(dst []byte, now time.Time) []byte {
	m := n.macs.Get().(*macState)
	defer n.macs.Put(m)
	binary.BigEndian.PutUint64(m.raw[:], uint64(now.UnixMicro()))
	binary.BigEndian.PutUint32(m.raw[8:], n.unique.Add(1))
	copy(m.raw[12:], n.maker[:])
	copy(m.raw[idLen:], m.sign())
	return base64.RawURLEncoding.AppendEncode(dst, m.raw[:])
}

// parse returns the identity of a nonce and when it was made; false when it was
// not made with our key.
func (n *nonces) parse(s string) (id nonceID, issued time.Time, ok bool) {
	if len(s) != nonceLen {
		return id, issued, false
	}
	m := n.macs.Get().(*macState)
	defer n.macs.Put(m)
	var text [nonceLen]byte
	copy(text[:], s)
	if _, err := base64.RawURLEncoding.Decode(m.raw[:], text[:]); err != nil {
		return id, issued, false
	}
	copy(id[:], m.raw[:])
	ok = subtle.ConstantTimeCompare(m.sign(), m.raw[idLen:]) == 1
	return id, id.issued(), ok
}
