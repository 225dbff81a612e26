package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"pbx.dev/dialtone/internal/app"
	"pbx.dev/dialtone/internal/config"
)

// saveSupport runs "dialtone support": a zip of what somebody needs who helps.
func saveSupport(ctx context.Context, args []string) error {
	to := ""
	c := &apiClient{http: &http.Client{}}
	cfg, err := loadConfig("support", args, func(fs *flag.FlagSet) {
		fs.StringVar(&to, "to", "dialtone-support.zip", "new `file` for the bundle, - for standard output")
		fs.StringVar(&c.server, "server", "", "`URL` of admin.listen; empty: what the configuration says")
		fs.StringVar(&c.keyFile, "key_file", "", "file with an API key; empty: DIALTONE_KEY, else admin.key of data_dir")
	})
	if err != nil {
		return err
	}
	c.dataDir, c.server = cfg.DataDir, cmp.Or(c.server, adminURL(cfg))
	if to == "-" {
		return writeSupport(ctx, c, cfg, os.Stdout)
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(writeSupport(ctx, c, cfg, f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	fmt.Println("wrote", to)
	return nil
}

// writeSupport asks the server; of one that does not answer it writes what is known.
func writeSupport(ctx context.Context, c *apiClient, cfg config.Config, w io.Writer) error {
	err := c.readKey()
	if err == nil {
		err = c.send(ctx, http.MethodGet, "/support", "", nil, w)
	}
	var no *statusError
	if err == nil || errors.As(err, &no) {
		return err
	}
	fmt.Fprintf(os.Stderr, "the server does not answer (%v): its metrics and its log are not in the bundle\n", err)
	return app.SupportOffline(ctx, cfg, version, w)
}

// adminURL is where the server of this configuration listens.
func adminURL(cfg config.Config) string {
	host, port, err := net.SplitHostPort(cfg.Admin.Listen)
	if err != nil {
		return "http://" + cfg.Admin.Listen
	}
	return "http://" + net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
}
