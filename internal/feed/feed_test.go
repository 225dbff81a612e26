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

// micros are positions of a microsecond each.
func micros(t time.Time) int64 { return t.UnixMicro() }

func at(us int64) func() time.Time { return func() time.Time { return time.UnixMicro(us) } }

func event(i int) phone.Event { return phone.Event{Detail: fmt.Sprint(i)} }

func TestFeed(t *testing.T) {
	t.Parallel()
	f := New(Options{Size: 4, PositionAt: micros, Now: at(1000)})
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

// TestFeedsOfOneLog: feeds that are filled from one log have one order and the same
// positions; what one of them has not got yet is waited for, within reason.
func TestFeedsOfOneLog(t *testing.T) {
	t.Parallel()
	f := New(Options{Size: 4, PositionAt: micros, Now: at(1000), Ahead: 50 * time.Microsecond})
	f.Restore([]Item{{Position: 500, Lost: true}, {Position: 510, Event: event(0)}, {Position: 520, Event: event(1)}})
	if f.Now() != 520 {
		t.Errorf("now %d", f.Now())
	}
	f.Put(Item{Position: 530, Event: event(2)})
	f.Publish(event(3))                         // here only
	f.Put(Item{Position: 520, Event: event(4)}) // the log has begun anew
	items, from, err := f.After(t.Context(), 510, 9)
	if err != nil || from != 532 || fmt.Sprint(positions(items)) != "[520 530 531 532]" {
		t.Errorf("%v %d %v", positions(items), from, err)
	}
	// 515 is of no item here; what comes after it is.
	if items, _, err := f.After(t.Context(), 515, 2); err != nil || fmt.Sprint(positions(items)) != "[520 530]" {
		t.Errorf("%v %v", positions(items), err)
	}
	for _, p := range []int64{0, 509, 1051} {
		if _, from, err := f.After(t.Context(), p, 9); !errors.Is(err, ErrLost) || from != 510 {
			t.Errorf("position %d: %d %v", p, from, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := f.After(ctx, 1050, 9); !errors.Is(err, context.Canceled) {
		t.Errorf("a position of a node that is ahead: %v", err)
	}
}

func positions(items []Item) (out []int64) {
	for _, it := range items {
		out = append(out, it.Position)
	}
	return out
}

// TestWaiting: who waits is woken by an event, by its context and by Close.
func TestWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := New(Options{Size: 4, PositionAt: micros})
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
