package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"pbx.dev/dialtone/internal/app"
	"pbx.dev/dialtone/internal/backup"
)

// saveBackup runs "dialtone backup": the data directory into one file. The server
// may be running.
func saveBackup(ctx context.Context, args []string) error {
	to := ""
	cfg, err := loadConfig("backup", args, func(fs *flag.FlagSet) {
		fs.StringVar(&to, "to", "", "new `file` for the archive, - for standard output; it will hold every secret")
	})
	if err != nil {
		return err
	}
	if to == "" {
		return errors.New("backup: --to is missing")
	}
	if to == "-" {
		return app.Backup(ctx, cfg, os.Stdout, os.Stderr)
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(app.Backup(ctx, cfg, f, os.Stderr), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	info, err := os.Stat(to)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes\n", to, info.Size())
	return nil
}

// restoreBackup runs "dialtone restore": an archive into a new data directory.
func restoreBackup(_ context.Context, args []string) error {
	from := ""
	cfg, err := loadConfig("restore", args, func(fs *flag.FlagSet) {
		fs.StringVar(&from, "from", "", "`file` that backup made, - for standard input")
	})
	if err != nil {
		return err
	}
	var in io.Reader = os.Stdin
	switch from {
	case "":
		return errors.New("restore: --from is missing")
	case "-":
	default:
		f, err := os.Open(filepath.Clean(from))
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	if err := backup.Read(in, cfg.DataDir); err != nil {
		return err
	}
	fmt.Printf("restored into %s\n", cfg.DataDir)
	return nil
}
