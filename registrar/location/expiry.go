package location

// entry is the bindings of one AOR. What bindings points to is never modified:
// a change replaces the slice.
type entry struct {
	aor      AOR
	bindings []Binding // guarded by the lock of its map
	// The rest belongs to the goroutine that makes the changes.
	next    []Binding // the state after the batch that is being written
	pending bool      // next is set
	due     int64     // not later than the first expiry, unix ms
	pos     int       // in the heap, -1 is outside
}

func (e *entry) firstExpiry() int64 {
	first := int64(1<<63 - 1)
	for i := range e.bindings {
		first = min(first, toMillis(e.bindings[i].ExpiresAt))
	}
	return first
}

// expiries is a heap of entries by due. A refresh moves the expiry away, which
// leaves due too early: it is put right when the entry comes up, so that a
// refresh costs the heap nothing.
type expiries []*entry

// put brings e in, or forward when it is due earlier than before.
func (h *expiries) put(e *entry, due int64) {
	switch {
	case e.pos < 0:
		e.due, e.pos = due, len(*h)
		*h = append(*h, e)
		h.up(e.pos)
	case due < e.due:
		e.due = due
		h.up(e.pos)
	}
}

// delay moves e back to due.
func (h *expiries) delay(e *entry, due int64) {
	e.due = due
	h.down(e.pos)
}

func (h *expiries) remove(e *entry) {
	i := e.pos
	if i < 0 {
		return
	}
	last := len(*h) - 1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	e.pos = -1
	if i < last {
		h.down(i)
		h.up(i)
	}
}

// first is the entry that is due at now, or nil.
func (h expiries) first(now int64) *entry {
	if len(h) == 0 || h[0].due > now {
		return nil
	}
	return h[0]
}

func (h expiries) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

func (h expiries) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].due <= h[i].due {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h expiries) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].due < h[child].due {
			child++
		}
		if h[i].due <= h[child].due {
			return
		}
		h.swap(i, child)
		i = child
	}
}
