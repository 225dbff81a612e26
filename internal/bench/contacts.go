package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// contactsAtOnce is how many updates LoadContacts submits at a time, and
// contactGroups how many such groups are under way.
const (
	contactsAtOnce = 64
	contactGroups  = 16
)

// LoadContacts registers n extensions, each with one contact as a desk phone sends
// it, in a store for a day, and returns how long that took. No phone stands behind
// them.
func LoadContacts(ctx context.Context, store location.Submitter, n int) (time.Duration, error) {
	start := time.Now()
	var failed atomic.Value
	room := make(chan struct{}, contactGroups)
	for from := 0; from < n && ctx.Err() == nil && failed.Load() == nil; from += contactsAtOnce {
		updates := make([]location.Update, min(contactsAtOnce, n-from))
		for i := range updates {
			updates[i] = deskPhone(from + i)
		}
		room <- struct{}{}
		store.Submit(updates, func(outs []location.Outcome) {
			for i := range outs {
				if outs[i].Err != nil {
					failed.CompareAndSwap(nil, outs[i].Err)
				}
			}
			<-room
		})
	}
	for range contactGroups { // until the last is answered
		room <- struct{}{}
	}
	if err, ok := failed.Load().(error); ok {
		return 0, err
	}
	return time.Since(start), ctx.Err()
}

// deskPhone is the REGISTER of the i-th extension.
func deskPhone(i int) location.Update {
	user := fmt.Sprint(1_000_000 + i)
	addr := fmt.Sprintf("10.%d.%d.%d:5060", i>>16&255, i>>8&255, i&255)
	return location.Update{
		AOR: location.AOR(user + "@bench.test"), CallID: fmt.Sprintf("%08x%08x@%s", i, i*7, addr), CSeq: 1, MaxContacts: 10,
		Contacts: []location.Contact{{TTL: 24 * time.Hour, Binding: location.Binding{
			ID: fmt.Sprintf("%024x", i), Contact: "sip:" + user + "@" + addr + ";transport=udp", Received: addr, Transport: "udp",
			Socket: "192.0.2.1:5060", Node: "node-1", Boot: "0123456789abcdef", Q: 1000,
			UserAgent: fmt.Sprintf("Yealink SIP-T46S 66.86.0.15 001565%06x", i), AuthUser: user, Device: "addr:" + addr,
		}}},
	}
}
