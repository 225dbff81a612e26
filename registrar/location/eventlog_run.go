package location

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// write writes what is told, as much as waits with one round trip.
func (l *EventLog) write(ctx context.Context) {
	var away time.Time // when Redis was found away
	for {
		var batch []string
		select {
		case <-ctx.Done():
			return
		case text := <-l.queue:
			batch = append(batch, text)
		}
		for len(l.queue) > 0 && len(batch) < logBatch {
			batch = append(batch, <-l.queue)
		}
		if time.Since(away) < logPause {
			l.unshared(batch...)
			continue
		}
		if err := l.store(ctx, batch); err != nil {
			away = time.Now()
			l.log.DebugContext(ctx, "events not told to other nodes", slog.Int("events", len(batch)), slog.Any("error", err))
			l.unshared(batch...)
		}
	}
}

// store writes a batch; when others have missed something, they are told so first.
func (l *EventLog) store(ctx context.Context, batch []string) error {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	pipe := l.opts.Client.Pipeline()
	gap := l.dropped.Swap(false)
	if gap {
		pipe.XAdd(ctx, l.entry("", true))
	}
	for _, text := range batch {
		pipe.XAdd(ctx, l.entry(text, false))
	}
	_, err := pipe.Exec(ctx)
	if err != nil && gap {
		l.dropped.Store(true)
	}
	return err
}

// read hands on what is new until ctx ends. When entries may have been missed it says
// so and goes on with the newest.
func (l *EventLog) read(ctx context.Context) {
	for ctx.Err() == nil {
		err := errLost
		if l.stand != "" {
			err = l.follow(ctx)
		}
		if errors.Is(err, errLost) {
			err = l.rejoin(ctx)
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		l.log.DebugContext(ctx, "events of other nodes cannot be read", slog.Any("error", err))
		select {
		case <-ctx.Done():
		case <-time.After(logPause):
		}
	}
}

// rejoin goes on at the end of the log.
func (l *EventLog) rejoin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	past, err := l.Begin(ctx)
	if err == nil {
		l.hear(LogEntry{Position: past[len(past)-1].Position, Lost: true})
	}
	return err
}

// follow reads once. A stream is cut at its old end, and only when it is longer than a
// page: whoever gets less than a page, and something, has missed nothing.
func (l *EventLog) follow(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, logBlock+logTimeout)
	defer cancel()
	page := int64(min(logPage, l.opts.Keep))
	streams, err := l.opts.Client.XRead(call, &redis.XReadArgs{Streams: []string{l.key, l.stand}, Count: page, Block: logBlock}).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	var found []redis.XMessage
	for _, s := range streams {
		found = append(found, s.Messages...)
	}
	if n := int64(len(found)); n == 0 || n == page {
		if err := l.verify(call); err != nil {
			return err
		}
	}
	for _, m := range found {
		l.hear(l.parse(m))
		l.stand = m.ID
	}
	return nil
}

// verify looks whether the entry we stand on is still there: else the log was cut past
// it, or the server has lost it.
func (l *EventLog) verify(ctx context.Context) error {
	found, err := l.opts.Client.XRangeN(ctx, l.key, l.stand, l.stand, 1).Result()
	if err == nil && len(found) == 0 {
		return errLost
	}
	return err
}
