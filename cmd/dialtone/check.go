package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"pbx.dev/dialtone/internal/config"
)

// loadConfig reads the configuration as every command does.
func loadConfig(name string, args []string, more func(*flag.FlagSet)) (config.Config, error) {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	var flags config.Flags
	flags.Register(fs)
	if more != nil {
		more(fs)
	}
	if err := parse(fs, args); err != nil {
		return config.Config{}, err
	}
	return config.Load(flags, os.Environ())
}

func check(_ context.Context, args []string) error {
	cfg, err := loadConfig("check", args, nil)
	if err != nil {
		return err
	}
	for _, name := range config.UnknownEnv(os.Environ()) {
		fmt.Fprintf(os.Stderr, "warning: %s is set and is not a setting\n", name)
	}
	fmt.Println("configuration ok; what differs from the defaults:")
	cfg.Describe(func(path, value string, isDefault bool) {
		if !isDefault {
			fmt.Printf("  %s = %s\n", path, value)
		}
	})
	return nil
}

func printExample(_ context.Context, args []string) error {
	if err := parse(flag.NewFlagSet("example", flag.ContinueOnError), args); err != nil {
		return err
	}
	_, err := os.Stdout.Write(config.Example())
	return err
}
