package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"text/tabwriter"
	"time"

	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/internal/support"
)

// supportNote is the first file of a bundle.
const supportNote = `This is a support bundle of dialtone: what the server is, how it is configured, how it
does and what it logged last. It holds no passwords, keys or tokens: settings that are
secret are redacted, and the others are never logged. It does hold names of hosts, IP
and MAC addresses, numbers of extensions and names of files. Look through it before you
give it away.
`

// Support writes a support bundle of the running server.
func (a *App) support(ctx context.Context, w io.Writer) error {
	parts := append(supportParts(a.cfg, a.version),
		support.Part{Name: "listeners.txt", Write: func(_ context.Context, w io.Writer) error { return a.sockets.printTable(w) }},
		support.Part{Name: "ready.json", Write: func(_ context.Context, w io.Writer) error { return indent(w, a.ready()) }},
		support.Part{Name: "stats.json", Write: a.writeStats},
		support.Part{Name: "schema.txt", Write: a.writeSchema},
		support.Part{Name: "metrics.txt", Write: a.writeMetrics},
		support.Part{Name: "goroutines.txt", Write: func(_ context.Context, w io.Writer) error {
			return pprof.Lookup("goroutine").WriteTo(w, 1) // where they are, and no values
		}},
	)
	if a.logTail != nil {
		parts = append(parts, support.Part{Name: "log.txt", Write: func(_ context.Context, w io.Writer) error {
			_, err := a.logTail.WriteTo(w)
			return err
		}})
	}
	return support.Write(ctx, w, time.Now(), parts)
}

// SupportOffline writes what is known of a server that does not answer.
func SupportOffline(ctx context.Context, cfg config.Config, version string, w io.Writer) error {
	parts := append(supportParts(cfg, version), support.Text("log.txt", "The server did not answer: its log is on its standard error.\n"))
	return support.Write(ctx, w, time.Now(), parts)
}

// supportParts are those that need no running server.
func supportParts(cfg config.Config, version string) []support.Part {
	return []support.Part{
		support.Text("README.txt", supportNote),
		{Name: "version.txt", Write: func(_ context.Context, w io.Writer) error { return writeVersion(w, version) }},
		{Name: "config.txt", Write: func(_ context.Context, w io.Writer) error { return writeConfig(w, cfg) }},
		{Name: "data_dir.txt", Write: func(_ context.Context, w io.Writer) error { return writeFiles(w, cfg.DataDir) }},
	}
}

func writeVersion(w io.Writer, version string) error {
	host, _ := os.Hostname() // it may have none
	_, err := fmt.Fprintf(w, "dialtone %s\n%s %s/%s, %d CPUs, GOMAXPROCS %d\nhost %s\n%s UTC\n", version,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0), host,
		time.Now().UTC().Format(time.DateTime))
	if info, ok := debug.ReadBuildInfo(); ok && err == nil {
		for _, m := range info.Deps {
			if _, err = fmt.Fprintln(w, m.Path, m.Version); err != nil {
				return err
			}
		}
	}
	return err
}

// writeConfig writes every setting, secrets redacted.
func writeConfig(w io.Writer, cfg config.Config) (err error) {
	cfg.Describe(func(path, value string, isDefault bool) {
		mark := ""
		if !isDefault {
			mark = "   # not the default"
		}
		if _, e := fmt.Fprintf(w, "%s = %s%s\n", path, value, mark); e != nil {
			err = e
		}
	})
	return err
}

// writeFiles lists the data directory, without contents.
func writeFiles(w io.Writer, dir string) error {
	const most = 5000
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	n := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			_, err = fmt.Fprintf(t, "%s\t%v\n", path, err)
			return err
		}
		if n++; n > most {
			return fs.SkipAll
		}
		info, err := e.Info()
		if err != nil {
			return nil // it went meanwhile
		}
		_, err = fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", info.Mode(), info.Size(), info.ModTime().UTC().Format(time.DateTime), path)
		return err
	})
	if n > most && err == nil {
		_, err = fmt.Fprintf(t, "and more\n")
	}
	if err != nil {
		return err
	}
	return t.Flush()
}

func indent(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (a *App) writeStats(_ context.Context, w io.Writer) error {
	return indent(w, struct {
		Node     string
		Started  time.Time
		Stats    any
		Tally    any
		Jobs     int // phones under way
		Degraded string
	}{a.id.node, a.started, a.roster.Stats(), a.roster.Tally(), a.jobs.Phones(), a.storeMode()})
}

func (a *App) writeSchema(ctx context.Context, w io.Writer) error {
	name, list, err := a.inventory.Schema(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, name); err != nil {
		return err
	}
	for _, m := range list {
		if _, err := fmt.Fprintln(w, m); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) writeMetrics(ctx context.Context, w io.Writer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", http.NoBody)
	if err != nil {
		return err
	}
	a.metricsHandler().ServeHTTP(&textAnswer{Writer: w, header: http.Header{}}, r)
	return nil
}

// textAnswer is an http.ResponseWriter that is a text.
type textAnswer struct {
	io.Writer
	header http.Header
}

// Header implements http.ResponseWriter.
func (t *textAnswer) Header() http.Header { return t.header }

// WriteHeader implements http.ResponseWriter.
func (t *textAnswer) WriteHeader(int) {}
