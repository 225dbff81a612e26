package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pin/tftp/v3"
)

// FileLoad fetches files in a closed loop, each on a connection of its own, as
// phones do.
type FileLoad struct {
	URL      string // "tftp://host:port" or "http://host:port"
	Files    []string
	Parallel int
	Duration time.Duration
}

// Run does the load.
func (l FileLoad) Run(ctx context.Context) (Result, error) {
	fetch := l.fetchHTTP
	if strings.HasPrefix(l.URL, "tftp://") {
		fetch = l.fetchTFTP
	}
	var mu sync.Mutex
	var res Result
	var first error
	var wg sync.WaitGroup
	start := time.Now()
	for w := range l.Parallel {
		wg.Go(func() {
			for i := w; time.Since(start) < l.Duration && ctx.Err() == nil; i += l.Parallel {
				began := time.Now()
				err := fetch(ctx, l.Files[i%len(l.Files)])
				mu.Lock()
				if err != nil {
					res.Errors++
					first = errors.Join(first, err)
				} else {
					res.Ops++
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

func (l FileLoad) fetchTFTP(_ context.Context, name string) error {
	c, err := tftp.NewClient(strings.TrimPrefix(l.URL, "tftp://"))
	if err != nil {
		return err
	}
	c.SetBlockSize(1428)
	c.SetTimeout(time.Second)
	from, err := c.Receive(name, "octet")
	if err != nil {
		return err
	}
	_, err = from.WriteTo(io.Discard)
	return err
}

func (l FileLoad) fetchHTTP(ctx context.Context, name string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL+"/"+name, http.NoBody)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       (&net.Dialer{Timeout: time.Second}).DialContext,
	}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", name, res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
