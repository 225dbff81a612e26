// Command dialtone is the phone provisioning server: DHCP options, phone files,
// SIP registrar and REST API in one process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	_ "time/tzdata" // phones get their zone's rules wherever the binary runs
)

// version is set by the Makefile.
var version = "dev"

// command is one subcommand.
type command struct {
	name, help string
	run        func(ctx context.Context, args []string) error
}

func commands() []command {
	return []command{
		{"serve", "run the server", serve},
		{"check", "check the configuration and print what it means", check},
		{"example", "print the annotated default configuration", printExample},
		{"version", "print the version", printVersion},
		{"key", "create, list and revoke API keys", key},
		{"backup", "put the data directory into one file", saveBackup},
		{"restore", "make a data directory of such a file", restoreBackup},
		{"support", "put what helps to find a fault into one file, without secrets", saveSupport},
		{"doctor", "say what DHCP would tell a phone, and look for other servers", doctor},
		{"phones", "list, import, resync and reboot phones of a running server", phonesResource().run},
		{"extensions", "list, create and import extensions of a running server", extensionsResource().run},
		{"templates", "push, check and activate templates of a running server", templatesResource().run},
		{"firmware", "upload, list, delete and target firmware images", firmwareResource().run},
		{"keys", "create, list and revoke API keys of a running server", keysResource().run},
		{"jobs", "list, watch and stop jobs of a running server", jobsResource().run},
		{"phone", "be a phone: boot, register and answer calls", simulate},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(os.Stdout)
		return 0
	}
	switch args[0] {
	case "template":
		args[0] = "templates"
	case "-v", "-version", "--version":
		args[0] = "version"
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, args[1:])
		switch {
		case err == nil || errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errUsage):
			return 2
		}
		fmt.Fprintln(os.Stderr, "dialtone:", err)
		return 1
	}
	fmt.Fprintf(os.Stderr, "dialtone: no command %q\n", args[0])
	usage(os.Stderr)
	return 2
}

// errUsage is a mistake on the command line that the flag package has explained.
var errUsage = errors.New("usage")

// parse parses args and refuses what is left over.
func parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%s: unexpected argument %q", fs.Name(), fs.Arg(0))
	}
	return nil
}

func usage(out *os.File) {
	fmt.Fprint(out, "usage: dialtone COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(out, "  %-10s  %s\n", c.name, c.help)
	}
	fmt.Fprint(out, "\n\"dialtone COMMAND --help\" lists the flags of a command.\n")
}

func printVersion(_ context.Context, args []string) error {
	if err := parse(flag.NewFlagSet("version", flag.ContinueOnError), args); err != nil {
		return err
	}
	goVersion := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
	}
	fmt.Println("dialtone", version, goVersion)
	return nil
}
