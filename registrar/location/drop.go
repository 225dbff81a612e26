package location

import (
	"context"
	_ "embed" // for the script
	"fmt"
)

// FlowEnd says that a connection has ended over which AOR had registered.
type FlowEnd struct {
	AOR              AOR
	Node, Boot, Flow string // as in the bindings
}

// empty reports whether f names no flow: bindings over UDP have none.
func (f *FlowEnd) empty() bool { return f.AOR == "" || f.Flow == "" }

// over reports whether b was last registered over the flow.
func (f *FlowEnd) over(b *Binding) bool {
	return b.Flow == f.Flow && b.Boot == f.Boot && b.Node == f.Node
}

// Drop implements Store.
func (m *Memory) Drop(ctx context.Context, f FlowEnd) error {
	if f.empty() {
		return nil
	}
	_, err := m.Apply(ctx, Update{AOR: f.AOR, lost: &f})
	return err
}

// dropLost is what is left after the end of a flow.
func (t *transition) dropLost() {
	kept := t.next[:0]
	for i := range t.next {
		if b := &t.next[i]; t.u.lost.over(b) {
			t.changes = append(t.changes, Change{FlowLost, *b})
		} else {
			kept = append(kept, *b)
		}
	}
	t.next = kept
}

//go:embed lua/drop.lua
var dropLua string

// Drop implements Store: one script, one round trip.
func (r *Redis) Drop(ctx context.Context, f FlowEnd) error {
	if f.empty() {
		return nil
	}
	s := r.shard(f.AOR)
	aor := escape(string(f.AOR))
	_, err := r.run(ctx, &r.scripts.drop, 3, []any{
		s.aors + aor, s.index, s.stream, s.contacts + aor + ":", aor + "|", flowMark(&f), r.opts.StreamLen,
	})
	if err != nil {
		return unavailable(fmt.Sprintf("drop flow of %s", f.AOR), err)
	}
	return nil
}

// flowMark is what stands in a value of a binding over that flow, and in no
// other: appendContent writes these members side by side, and a text cannot hold
// a quotation mark.
func flowMark(f *FlowEnd) string {
	var b []byte
	for _, m := range [...]struct{ name, value string }{{`,"node":`, f.Node}, {`,"boot":`, f.Boot}, {`,"flow":`, f.Flow}} {
		if m.value != "" {
			b = appendString(append(b, m.name...), m.value)
		}
	}
	return string(b)
}
