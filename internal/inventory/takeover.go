package inventory

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
)

// alive is before the name of a node in the table meta, whose value is when it last
// said that it lives.
const alive = "alive/"

// forgetNode is how long a node that has gone is remembered.
const forgetNode = 24 * time.Hour

// TakeJobs says that node lives and gives it the jobs that have not ended of nodes
// that have not said so for as long as silent. It returns how many those are. A node
// that never said so keeps its jobs.
func (s *Store) TakeJobs(ctx context.Context, node string, silent time.Duration) (taken int, err error) {
	return writing(ctx, s, func(u *unit) (int, error) {
		taken, err := u.takeJobs(node, silent)
		if err != nil {
			return 0, fmt.Errorf("take over jobs: %w", err)
		}
		return taken, nil
	})
}

func (u *unit) takeJobs(node string, silent time.Duration) (taken int, err error) {
	err = u.exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
		alive+node, []byte(strconv.FormatInt(toMillis(u.Now), 10)))
	if err != nil {
		return 0, err
	}
	gone := map[string]time.Duration{}
	err = engine.Each(u, func(row engine.Row) error {
		var name string
		var value []byte
		if err := row.Scan(&name, &value); err != nil {
			return err
		}
		at, err := strconv.ParseInt(string(value), 10, 64)
		if age := u.Now.Sub(fromMillis(at)); err == nil && age > silent {
			gone[strings.TrimPrefix(name, alive)] = age
		}
		return nil
	}, `SELECT name, value FROM meta WHERE name >= $1 AND name < $2`, alive, "alive0") // '0' follows '/'
	if err != nil {
		return 0, err
	}
	for other, age := range gone {
		n, err := u.Exec(`UPDATE jobs SET node = $1 WHERE node = $2 AND ended_at = 0`, node, other)
		if err == nil && age > forgetNode {
			err = u.exec(`DELETE FROM meta WHERE name = $1`, alive+other)
		}
		if err != nil {
			return 0, err
		}
		taken += int(n)
	}
	return taken, nil
}
