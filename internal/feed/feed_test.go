package feed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

func event(i int) phone.Event { return phone.Event{Detail: fmt.Sprint(i)} }

func TestFeed(t *testing.T) {
	t.Parallel()
	f := New(4, time.UnixMicro(1000))
	start := f.Now()
	for i := range 3 {
		f.Publish(event(i))
	}
	items, from, err := f.After(t.Context(), start, 2)
	if err != nil || len(items) != 2 || items[0].Event.Detail != "0" || items[0].Position != 1000 || from != 1001 {
		t.Fatalf("%v %d %v", items, from, err)
	}
	if items, from, err = f.After(t.Context(), from, 2); err != nil || len(items) != 1 || from != 1002 {
		t.Fatalf("%v %d %v", items, from, err)
	}
	for i := range 5 { // more than it keeps
		f.Publish(event(3 + i))
	}
	if _, from, err = f.After(t.Context(), from, 9); !errors.Is(err, ErrLost) {
		t.Fatalf("%d %v", from, err)
	}
	if items, _, err = f.After(t.Context(), from, 9); err != nil || len(items) != 4 || items[0].Event.Detail != "4" {
		t.Fatalf("%v %v", items, err)
	}
	for _, p := range []int64{0, 999 - 1, f.Now() + 1} { // of another run, or made up
		if _, _, err := f.After(t.Context(), p, 9); !errors.Is(err, ErrLost) {
			t.Errorf("position %d: %v", p, err)
		}
	}
}

// TestWaiting: who waits is woken by an event, by its context and by Close.
func TestWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := New(4, time.Now())
		start := f.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if items, _, err := f.After(t.Context(), start, 9); err != nil || len(items) != 1 {
					t.Errorf("%v %v", items, err)
				}
			})
		}
		synctest.Wait()
		f.Publish(event(1))
		wg.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, _, err := f.After(ctx, f.Now(), 9); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		wg.Go(func() {
			if _, _, err := f.After(t.Context(), f.Now(), 9); !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		})
		synctest.Wait()
		f.Close()
		f.Close()
		f.Publish(event(2))
		wg.Wait()
	})
}
