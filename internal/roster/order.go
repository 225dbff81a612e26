package roster

import (
	"slices"
	"strings"
)

// chunkRows bounds a chunk of the order. Whoever inserts one phone of a million
// moves this many places at most, not half a million.
const chunkRows = 512

// order is the slots of all rows in the order of their ids, in chunks that are
// never empty.
type order struct {
	chunks [][]uint32
	rows   int
}

// place is where an id stands in the order or belongs.
type place struct{ chunk, at int }

// position is where id is or belongs in the order.
func (s *state) position(id string) place {
	chunks := s.order.chunks
	// The first chunk that ends at id or after it.
	i, _ := slices.BinarySearchFunc(chunks, id, func(c []uint32, id string) int {
		return strings.Compare(s.rows[c[len(c)-1]].id, id)
	})
	if i == len(chunks) {
		if i == 0 {
			return place{}
		}
		return place{i - 1, len(chunks[i-1])}
	}
	at, _ := slices.BinarySearchFunc(chunks[i], id, func(slot uint32, id string) int {
		return strings.Compare(s.rows[slot].id, id)
	})
	return place{i, at}
}

// slotAt is the slot at a place, and whether there is one.
func (o *order) slotAt(p place) (uint32, bool) {
	if p.chunk >= len(o.chunks) || p.at >= len(o.chunks[p.chunk]) {
		return 0, false
	}
	return o.chunks[p.chunk][p.at], true
}

// next is the place after p.
func (o *order) next(p place) place {
	if p.at++; p.at >= len(o.chunks[p.chunk]) && p.chunk+1 < len(o.chunks) {
		return place{chunk: p.chunk + 1}
	}
	return p
}

// insert puts a slot at its place. A full chunk is split in the middle, or at its
// end when rows come in the order of their ids.
func (o *order) insert(p place, slot uint32) {
	o.rows++
	if len(o.chunks) == 0 {
		o.chunks = append(o.chunks, []uint32{slot})
		return
	}
	c := o.chunks[p.chunk]
	if len(c) < chunkRows {
		o.chunks[p.chunk] = slices.Insert(c, p.at, slot)
		return
	}
	if p.at == len(c) {
		o.chunks = slices.Insert(o.chunks, p.chunk+1, []uint32{slot})
		return
	}
	const half = chunkRows / 2
	o.chunks = slices.Insert(o.chunks, p.chunk+1, slices.Clone(c[half:]))
	o.chunks[p.chunk] = c[:half]
	if p.at > half {
		p = place{p.chunk + 1, p.at - half}
	}
	o.chunks[p.chunk] = slices.Insert(o.chunks[p.chunk], p.at, slot)
}

// remove takes the slot out that stands at p.
func (o *order) remove(p place) {
	o.rows--
	c := slices.Delete(o.chunks[p.chunk], p.at, p.at+1)
	if o.chunks[p.chunk] = c; len(c) == 0 {
		o.chunks = slices.Delete(o.chunks, p.chunk, p.chunk+1)
	}
}
