package webhook

import (
	"context"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// DriftType is the type of events of phones that differ.
const DriftType = "phone.drift"

const (
	atOnce     = 500 // events stored in one transaction
	storeAgain = time.Second
)

// Tell takes how a phone differs now. It does not wait. Until that is stored only the
// newest of each phone is kept, so that there is nothing to drop.
func (s *Sender) Tell(e phone.DriftEvent) {
	s.mu.Lock()
	s.news[e.PhoneID] = e
	s.mu.Unlock()
	poke(s.told)
}

// store writes what is told into the outbox. Before the list of phones is complete
// nothing is: what is found then is compared with what was told before the start.
func (s *Sender) store(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-s.o.Loaded:
	}
	for !s.compare(ctx) {
		if !pause(ctx, storeAgain, nil) {
			return
		}
	}
	for {
		batch := s.take()
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-s.told:
			}
			continue
		}
		dropped, err := s.o.Ledger.TellDrift(ctx, batch)
		s.count.WithLabelValues("dropped").Add(float64(dropped))
		if err == nil {
			s.Look()
			continue
		}
		s.putBack(batch)
		if ctx.Err() == nil {
			s.o.Logger.WarnContext(ctx, "events are not stored yet", "events", len(batch), "error", err)
		}
		if !pause(ctx, storeAgain, nil) {
			return
		}
	}
}

// compare makes news of what is another way than was told before the start.
func (s *Sender) compare(ctx context.Context) bool {
	told, err := s.o.Ledger.ToldDrift(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.o.Logger.WarnContext(ctx, "not known what was told before the start", "error", err)
		}
		return false
	}
	s.putBack(s.o.Current(told)) // what was told meanwhile is newer
	return true
}

// take removes some of what is not stored yet.
func (s *Sender) take() []phone.DriftEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := make([]phone.DriftEvent, 0, min(len(s.news), atOnce))
	for id, e := range s.news {
		if len(batch) == atOnce {
			break
		}
		batch = append(batch, e)
		delete(s.news, id)
	}
	return batch
}

// putBack keeps what is not stored yet, unless there is something newer of the phone.
func (s *Sender) putBack(batch []phone.DriftEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range batch {
		if _, newer := s.news[e.PhoneID]; !newer {
			s.news[e.PhoneID] = e
		}
	}
}
