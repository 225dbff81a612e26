package tftpd

import (
	"testing"
	"time"

	"pbx.dev/dialtone/provision"
)

// A source that is over its budget gets no packet; what others ask is answered.
func TestSilence(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	addr, stop := startStoppable(t, Options{Files: getter{
		"over": func() (provision.File, error) { asked <- struct{}{}; return provision.File{}, provision.ErrOverBudget },
		"g":    text("fine"),
	}})
	c := dial(t)
	c.ask(addr, "\x00\x01over\x00octet\x00")
	<-asked
	c.ask(addr, "\x00\x01g\x00octet\x00")
	got, tid := c.answer()
	if got != "\x00\x03\x00\x01fine" {
		t.Errorf("the first answer is %q", got)
	}
	c.ask(tid, ack(1))
	if err := stop(); err != nil { // after all work is done
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := c.ReadFromUDP(make([]byte, 100)); err == nil {
		t.Errorf("another answer of %d bytes", n)
	}
}
