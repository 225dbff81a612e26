package provision

import (
	"container/list"
	"sync"

	"pbx.dev/dialtone/internal/phone"
)

// cacheKey names one rendered file. A phone has one entry for each of its files,
// so that the cache never holds two versions of one.
type cacheKey struct {
	mac    phone.MAC
	vendor phone.Vendor
	kind   Kind
	model  string // of a common file
	page   int    // of a phone book
}

// version is everything that a rendered file depends on.
type version struct {
	device    string // ID of the device: a new device with an old MAC is another one
	revision  int64
	templates string
	layers    int64
	book      int64  // of a phone book, and how many pages the others name
	firmware  string // which image it names
	choice    int64  // revision of template
	template  string // that stands in for the built-in one; empty: none does
	facts     int64
}

type entry struct {
	version version
	body    []byte // never written to
	etag    string
	tokens  [2][32]byte // hashes of what the phone may prove itself with; zero: none
}

// cache keeps the rendered files that were asked for last, up to a number of bytes.
type cache struct {
	limit int

	mu    sync.Mutex
	bytes int
	order *list.List // of *item, the one used last in front
	items map[cacheKey]*list.Element
}

type item struct {
	key   cacheKey
	entry entry
}

// overhead is about what an entry takes beside its body.
const overhead = 400

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), items: map[cacheKey]*list.Element{}}
}

func (c *cache) get(k cacheKey) (entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.items[k]
	if !ok {
		return entry{}, false
	}
	c.order.MoveToFront(el)
	return el.Value.(*item).entry, true
}

func (c *cache) put(k cacheKey, e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.items[k]; ok {
		c.removeLocked(el)
	}
	c.items[k] = c.order.PushFront(&item{k, e})
	c.bytes += len(e.body) + overhead
	for c.bytes > c.limit && c.order.Len() > 0 {
		c.removeLocked(c.order.Back())
	}
}

func (c *cache) removeLocked(el *list.Element) {
	it := c.order.Remove(el).(*item)
	delete(c.items, it.key)
	c.bytes -= len(it.entry.body) + overhead
}
