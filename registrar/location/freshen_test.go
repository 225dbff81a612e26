package location_test

import (
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// TestFreshen: a node that is asked to learns of a plain refresh at another one, which is
// not told to it.
func TestFreshen(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	one := newResilient(t, location.RedisOptions{Client: openClient(t, s.url()+patiently), Shards: 8, Node: "n1", Boot: "b-8f2c"}, nil)
	heard := make(chan location.Change, 100)
	two := newResilient(t, location.RedisOptions{Client: openClient(t, s.url()+patiently), Shards: 8, Node: "n2", Boot: "b2"}, nil,
		func(c location.Change) { heard <- c })
	aor := aorN(101)
	first := apply(t, one, register(aor, "desk", 1, time.Hour))
	if c := receive(t, heard); c.Kind != location.Added {
		t.Fatalf("%+v", c)
	}
	<-time.After(10 * time.Millisecond) // the clock of the store has milliseconds
	again := apply(t, one, register(aor, "desk", 2, time.Hour))
	if err := two.Freshen(t.Context(), aor); err != nil {
		t.Fatal(err)
	}
	c := receive(t, heard)
	if want := again.Bindings[0].RefreshedAt; c.Kind != location.Refreshed || !c.Binding.RefreshedAt.Equal(want) || !want.After(first.Bindings[0].RefreshedAt) {
		t.Errorf("%s at %v, want %v", c.Kind, c.Binding.RefreshedAt, want)
	}
	if err := two.Freshen(t.Context(), aorN(102)); err != nil {
		t.Errorf("nobody is there: %v", err)
	}
}
