package locationtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/registrar/location"
)

// all reads the list in pages of that size.
func all(t *testing.T, s location.Store, size int) []location.Binding {
	t.Helper()
	var out []location.Binding
	cursor := ""
	for range 10000 {
		page, next, err := s.List(t.Context(), cursor, size)
		if err != nil {
			t.Fatalf("list from %q: %v", cursor, err)
		}
		if len(page) > size {
			t.Fatalf("page of %d, limit %d", len(page), size)
		}
		out = append(out, page...)
		if next == "" {
			return out
		}
		cursor = next
	}
	t.Fatal("the list does not end")
	return nil
}

func names(bs []location.Binding) []string {
	out := make([]string, 0, len(bs))
	for _, b := range bs {
		out = append(out, fmt.Sprintf("%s %s", b.AOR, b.ID))
	}
	return out
}

func listPages(t *testing.T, s location.Store) {
	wantIDs(t, "empty", all(t, s, 10), "")
	var want []string
	for i := range 60 {
		u := of("call", 1)
		u.AOR = location.AOR(fmt.Sprintf("%d@pbx.dev", 100+i))
		for k := range 1 + i%4 {
			id := fmt.Sprintf("c%d", k)
			u.Contacts = append(u.Contacts, phone(id, time.Hour))
			want = append(want, fmt.Sprintf("%s %s", u.AOR, id))
		}
		apply(t, s, u)
	}
	whole := all(t, s, 1000)
	got := names(whole)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("list (-want +got):\n%s", diff)
	}
	for _, size := range []int{1, 2, 7, 64, 149, 150} {
		if diff := cmp.Diff(whole, all(t, s, size)); diff != "" {
			t.Errorf("pages of %d differ from the whole (-whole +pages):\n%s", size, diff)
		}
	}
	if page, _, err := s.List(t.Context(), "", 0); err != nil || len(page) == 0 {
		t.Errorf("limit 0: %d bindings, %v; want the store's own limit", len(page), err)
	}
}

// listOnlyLive: a list that others change meanwhile still holds all that was
// there from beginning to end.
func listOnlyLive(t *testing.T, s location.Store) {
	for i := range 40 {
		u := of("call", 1, phone("keep", time.Hour), phone("drop", time.Hour))
		u.AOR = location.AOR(fmt.Sprintf("%d@pbx.dev", 100+i))
		apply(t, s, u)
	}
	var got []location.Binding
	cursor := ""
	for i := 0; ; i++ {
		page, next, err := s.List(t.Context(), cursor, 5)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page...)
		if next == "" {
			break
		}
		cursor = next
		u := of("call", 2, phone("drop", 0), phone("keep", time.Minute))
		u.AOR = location.AOR(fmt.Sprintf("%d@pbx.dev", 100+(i*7)%40))
		if _, err := s.Apply(t.Context(), u); err != nil && !isError(err, location.ErrStale) {
			t.Fatal(err)
		}
	}
	keep := map[string]int{}
	for _, name := range names(got) {
		if strings.HasSuffix(name, "keep") {
			keep[name]++
		}
	}
	if len(keep) != 40 {
		t.Errorf("%d bindings were there all the time and listed, want 40", len(keep))
	}
	for name, n := range keep {
		if n != 1 {
			t.Errorf("%s is listed %d times", name, n)
		}
	}
}

func listCursor(t *testing.T, s location.Store) {
	for _, cursor := range []string{"nonsense!", "OTk5OTk5Og", "LTE6"} {
		if _, _, err := s.List(t.Context(), cursor, 10); err == nil {
			t.Errorf("cursor %q is accepted", cursor)
		}
	}
}
