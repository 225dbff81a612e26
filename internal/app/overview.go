package app

import (
	"context"
	"strconv"
	"time"

	"pbx.dev/dialtone/api"
	"pbx.dev/dialtone/internal/history"
)

// sampleEvery is how often the history is told how many phones are registered; its
// points are minutes.
const sampleEvery = 20 * time.Second

// sample keeps the history of the overview.
func (a *App) sample(ctx context.Context) error {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		a.sampleNow()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *App) sampleNow() {
	st := a.roster.Stats()
	a.history.Sample(time.Now(), st.Total, st.Registered)
}

// past is the history up to this moment.
func (a *App) past(while time.Duration) ([]history.Point, time.Duration) {
	a.sampleNow()
	return a.history.Points(time.Now(), while)
}

// dhcpServers are the other DHCP servers that the responder has overheard.
func (a *App) dhcpServers() ([]api.DHCPServer, bool) {
	if a.dhcp == nil {
		return nil, false
	}
	list, listening := a.dhcp.Others()
	out := make([]api.DHCPServer, 0, len(list))
	for _, o := range list {
		one := api.DHCPServer{
			Address: o.Server.String(), Interface: o.Interface, FirstSeen: o.First, LastSeen: o.Last, Replies: o.Replies,
			Options: map[string]string{}, Problem: o.Problem,
		}
		for code, v := range o.Values {
			one.Options[strconv.Itoa(int(code))] = v
		}
		out = append(out, one)
	}
	return out, listening
}
