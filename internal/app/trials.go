package app

import (
	"context"

	"pbx.dev/dialtone/internal/resync"
	"pbx.dev/dialtone/internal/stage"
)

// settleTemplates ends the rollouts of templates whose jobs have ended.
func (a *App) settleTemplates(ctx context.Context) error {
	s := &stage.Settler{Library: a.library, Store: a.inventory, Jobs: a.jobs, Node: a.id.node, Back: resync.Resync, Logger: a.log}
	return s.Run(ctx)
}
