package app

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"pbx.dev/dialtone/api"
	"pbx.dev/dialtone/internal/durable"
	"pbx.dev/dialtone/internal/history"
)

// sampleEvery is how often the history is told how many phones are registered; its
// points are minutes.
const sampleEvery = 20 * time.Second

// writeEvery is how much of the history a crash may cost.
const writeEvery = 5 * time.Minute

// openHistory takes over the history of the run before. It is no reason not to start.
func (a *App) openHistory(ctx context.Context) error {
	text, err := os.ReadFile(a.historyFile())
	if err == nil {
		err = json.Unmarshal(text, &a.history)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.WarnContext(ctx, "the history of the overview begins anew", "error", err)
	}
	a.onStop("history", a.writeHistory)
	return nil
}

func (a *App) historyFile() string { return filepath.Join(a.cfg.DataDir, "overview.json") }

func (a *App) writeHistory() error {
	text, err := json.Marshal(&a.history)
	if err != nil {
		return err
	}
	return durable.WriteFile(a.historyFile(), text, 0o600)
}

// sample keeps the history of the overview.
func (a *App) sample(ctx context.Context) error {
	tick, write := time.NewTicker(sampleEvery), time.NewTicker(writeEvery)
	defer tick.Stop()
	defer write.Stop()
	for {
		a.sampleNow()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-write.C:
			if err := a.writeHistory(); err != nil {
				a.log.WarnContext(ctx, "the history of the overview is not written", "error", err)
			}
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
