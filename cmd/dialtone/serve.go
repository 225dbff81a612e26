package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"pbx.dev/dialtone/internal/app"
	"pbx.dev/dialtone/internal/config"
)

// serve runs the server until SIGTERM or SIGINT.
func serve(ctx context.Context, args []string) error {
	cfg, err := loadConfig("serve", args, nil)
	if err != nil {
		return err
	}
	app.PaceGC()
	log := newLogger(cfg.Log)
	for _, name := range config.UnknownEnv(os.Environ()) {
		log.WarnContext(ctx, "environment variable is not a setting and is ignored", slog.String("name", name))
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	a, err := app.New(ctx, app.Options{Config: cfg, Out: os.Stdout, Logger: log, Version: version, Reload: hup})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func newLogger(cfg config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo // Validate has refused what is not a level
	}
	o := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}
