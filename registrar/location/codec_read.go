package location

// reader takes a payload apart. After the first mistake it is bad and gives zero
// values. The texts are parts of the payload, which so stays in one piece.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) octet() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		c := r.octet()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *reader) text() string {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.rest)) {
		r.bad, r.rest = true, ""
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) times(b *Binding) {
	b.RegisteredAt = fromMillis(r.varint())
	b.RefreshedAt = fromMillis(r.varint())
	b.ExpiresAt = fromMillis(r.varint())
}

func (r *reader) binding(aor AOR) Binding {
	b := Binding{AOR: aor}
	for _, s := range [...]*string{
		&b.ID, &b.Contact, &b.Params, &b.Received, &b.Transport, &b.Socket, &b.Node, &b.Boot, &b.Flow,
		&b.CallID, &b.Instance, &b.UserAgent, &b.AuthUser, &b.Device,
	} {
		*s = r.text()
	}
	b.CSeq = uint32(r.uvarint())
	b.RegID = int(r.varint())
	b.Q = int(r.varint())
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.bad = true
		return b
	}
	for range n {
		b.Path = append(b.Path, r.text())
	}
	r.times(&b)
	return b
}

// replay hands the changes of one payload to apply, in order. A refreshed
// binding carries only what its record holds.
func replay(payload string, apply func(ChangeKind, Binding)) error {
	r := reader{rest: payload}
	switch r.octet() {
	case recordNothing:
		return nil
	case recordChanges:
	default:
		return errRecord
	}
	aor := AOR(r.text())
	for len(r.rest) > 0 && !r.bad {
		var kind ChangeKind
		b := Binding{AOR: aor}
		switch r.octet() {
		case opPut:
			kind, b = Added, r.binding(aor)
		case opRefresh:
			kind = Refreshed
			b.ID, b.CallID, b.CSeq = r.text(), r.text(), uint32(r.uvarint())
			r.times(&b)
		case opDelete:
			kind, b.ID = Removed, r.text()
		default:
			r.bad = true
		}
		if !r.bad {
			apply(kind, b)
		}
	}
	if r.bad {
		return errRecord
	}
	return nil
}
