package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// HTTPLoad fetches files in a closed loop, each on a connection of its own, as
// phones do.
type HTTPLoad struct {
	Target   string // host:port
	Files    []string
	ETag     bool        // ask with the entity tag of a first answer, which is not counted
	Status   int         // what every answer has to be
	TLS      *tls.Config // nil: plain
	Parallel int
	Duration time.Duration

	tags map[string]string // by file: the line of the request
}

// Run does the load.
func (l HTTPLoad) Run(ctx context.Context) (Result, error) {
	var mu sync.Mutex
	var res Result
	var first error
	var wg sync.WaitGroup
	if err := l.learn(ctx); err != nil {
		return res, err
	}
	start := time.Now()
	for w := range l.Parallel {
		wg.Go(func() {
			reader := bufio.NewReaderSize(nil, 16<<10)
			for i := w; time.Since(start) < l.Duration && ctx.Err() == nil; i += l.Parallel {
				began := time.Now()
				n, err := l.fetch(ctx, reader, l.Files[i%len(l.Files)])
				mu.Lock()
				if err != nil {
					res.Errors++
					first = errors.Join(first, err)
				} else {
					res.Ops++
					res.Bytes += n
					res.Latency = append(res.Latency, time.Since(began))
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	res.Elapsed = time.Since(start)
	if res.Ops == 0 {
		return res, fmt.Errorf("no file was fetched: %w", first)
	}
	return res, nil
}

// learn fetches each file once and keeps its entity tag.
func (l *HTTPLoad) learn(ctx context.Context) error {
	l.tags = map[string]string{}
	if !l.ETag {
		return nil
	}
	for _, name := range l.Files {
		first := *l
		first.Status = http.StatusOK
		res, done, err := first.get(ctx, bufio.NewReader(nil), name) //nolint:bodyclose // done does
		if err != nil {
			return err
		}
		l.tags[name] = "If-None-Match: " + res.Header.Get("ETag") + "\r\n"
		done()
	}
	return nil
}

func (l *HTTPLoad) fetch(ctx context.Context, reader *bufio.Reader, name string) (int64, error) {
	res, done, err := l.get(ctx, reader, name) //nolint:bodyclose // done does
	if err != nil {
		return 0, err
	}
	defer done()
	return io.Copy(io.Discard, res.Body)
}

func (l *HTTPLoad) get(ctx context.Context, reader *bufio.Reader, name string) (*http.Response, func(), error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	c, err := d.DialContext(ctx, "tcp", l.Target)
	if err != nil {
		return nil, nil, err
	}
	if l.TLS != nil {
		c = tls.Client(c, l.TLS)
	}
	res, err := l.ask(c, reader, name)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", name, err), c.Close())
	}
	return res, func() { res.Body.Close(); c.Close() }, nil
}

func (l *HTTPLoad) ask(c net.Conn, reader *bufio.Reader, name string) (*http.Response, error) {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(c, "GET /"+name+" HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"+l.tags[name]+"\r\n"); err != nil {
		return nil, err
	}
	reader.Reset(c)
	res, err := http.ReadResponse(reader, nil)
	if err == nil && res.StatusCode != l.Status {
		res.Body.Close()
		err = errors.New(res.Status)
	}
	return res, err
}
