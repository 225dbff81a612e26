package roster

import "slices"

// insert puts a row into the list. Its facts must be complete enough for
// classify; refresh follows later changes.
func (s *state) insert(r *row) {
	if n := len(s.free); n > 0 {
		r.slot, s.free = s.free[n-1], s.free[:n-1]
		s.rows[r.slot] = r
	} else {
		r.slot = uint32(len(s.rows))
		s.rows = append(s.rows, r)
		s.hot = append(s.hot, hot{})
		s.text = append(s.text, "")
		s.sign = append(s.sign, sign{})
	}
	s.byID[r.id] = r
	s.order.insert(s.position(r.id), r.slot)
	s.describe(r)
}

// remove takes a row out of the list; its contacts must be gone.
func (s *state) remove(r *row) {
	s.count(s.hot[r.slot], -1, "")
	s.order.remove(s.position(r.id))
	s.rows[r.slot], s.hot[r.slot], s.text[r.slot], s.sign[r.slot] = nil, hot{}, "", sign{}
	s.free = append(s.free, r.slot)
	delete(s.byID, r.id)
	delete(s.dirty.rows, r)
}

// addToExtension lists r under an extension, once.
func (s *state) addToExtension(number string, r *row) {
	if e := s.extension(number); !slices.Contains(e.rows, r) {
		e.rows = append(e.rows, r)
	}
}

func (s *state) dropFromExtension(number string, r *row) {
	if e := s.exts[number]; e != nil {
		e.rows = without(e.rows, r)
		s.tidy(number)
	}
}

// addTo and dropFrom keep the indexes that have few rows under one key.
func addTo[K comparable](m map[K][]*row, key K, r *row) { m[key] = append(m[key], r) }

func dropFrom[K comparable](m map[K][]*row, key K, r *row) {
	if rest := without(m[key], r); len(rest) > 0 {
		m[key] = rest
	} else {
		delete(m, key)
	}
}

// without removes v from list, which keeps no order.
func without[T comparable](list []T, v T) []T {
	i := slices.Index(list, v)
	if i < 0 {
		return list
	}
	last := len(list) - 1
	list[i] = list[last]
	var zero T
	list[last] = zero
	if last == 0 {
		return nil
	}
	return list[:last]
}
