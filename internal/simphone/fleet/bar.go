package fleet

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

const barWidth = 30

// barEvery is how often the bar is drawn anew.
const barEvery = 200 * time.Millisecond

// showBar draws how far the fleet has come, until ctx ends.
func showBar(ctx context.Context, w io.Writer, r *Report, size int) {
	tick := time.NewTicker(barEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(w, "\r%s", bar(r, size))
		case <-ctx.Done():
			fmt.Fprintf(w, "\r%s\n", bar(r, size))
			return
		}
	}
}

// bar is one line: a bar of the registered and the numbers of the other stages.
func bar(r *Report, size int) string {
	done := r.Count(Registered)
	full := barWidth * done / max(size, 1)
	return fmt.Sprintf("[%s%s] %d/%d registered, dhcp %d, files %d, sip %d, failed %d ",
		strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done, size,
		r.Count(Discover), r.Count(Leased), r.Count(Booted), r.Count(Failed))
}
