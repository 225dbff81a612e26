package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"pbx.dev/dialtone/internal/app"
	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/internal/support"
)

// serve runs the server until SIGTERM or SIGINT.
func serve(ctx context.Context, args []string) error {
	cfg, err := loadConfig("serve", args, nil)
	if err != nil {
		return err
	}
	app.PaceGC()
	tail := support.NewLog(logLines, logBytes)
	log := newLogger(cfg.Log, io.MultiWriter(os.Stderr, tail))
	for _, name := range config.UnknownEnv(os.Environ()) {
		log.WarnContext(ctx, "environment variable is not a setting and is ignored", slog.String("name", name))
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	a, err := app.New(ctx, app.Options{Config: cfg, Out: os.Stdout, Logger: log, Version: version, Reload: hup, LogTail: tail})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// What a support bundle has of the log.
const (
	logLines = 2000
	logBytes = 1 << 20
)

func newLogger(cfg config.Log, to io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo // Validate has refused what is not a level
	}
	o := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, o))
	}
	return slog.New(slog.NewTextHandler(to, o))
}
