package rollout

import (
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// TestTakeOver: the job of a node that is silent goes on at another one. When the
// first was only slow, it lets the job go: no phone is begun twice.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	inLab(t, newWard(5*time.Second), func(t *testing.T, l *lab) {
		other := &lab{t: t, shelf: l.shelf, ward: l.ward, every: time.Second}
		other.startAs("n2", l.shelf)
		defer func() { other.stop() }()
		l.begin(phone.Waves{Parallel: 5, Jitter: time.Minute}, phones(40))
		l.after(12 * time.Second)
		before := l.ward.count()
		l.shelf.mu.Lock()
		l.shelf.silent = "n1"
		l.shelf.mu.Unlock()
		l.after(time.Minute/signs + time.Second)
		if _, held := l.Job("job_1"); held {
			t.Error("the first node still holds the job")
		}
		if l.Phones() != 0 {
			t.Errorf("the first node has %d phones under way", l.Phones())
		}
		l.after(3 * time.Minute)
		l.want(phone.JobDone, "0 waiting, 0 working, 40 ok, 0 failed, 0 skipped")
		if before == 0 || before == 40 {
			t.Errorf("%d of 40 phones were begun at the first node: nothing was taken over", before)
		}
	})
}
