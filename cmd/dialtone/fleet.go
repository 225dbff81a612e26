package main

import (
	"context"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"pbx.dev/dialtone/internal/simphone/fleet"
)

// fleetFlags are those of "dialtone phone --fleet".
type fleetFlags struct {
	size     *int
	storm    *bool
	over     *time.Duration
	iface    *string
	patience *time.Duration
	csv      *string
}

// newFleetFlags adds the flags to fs.
func newFleetFlags(fs *flag.FlagSet) fleetFlags {
	return fleetFlags{
		size:     fs.Int("fleet", 0, "be `N` phones of all vendors, each with an extension of its own; needs no --mac"),
		storm:    fs.Bool("storm", false, "with --fleet: plug all in at once, as after a power cut"),
		over:     fs.Duration("over", 0, "with --fleet: plug them in over this `time`; 0: 10 ms for each"),
		iface:    fs.String("dhcp", "", "with --fleet: get addresses and the URL by DHCP on this `interface`"),
		patience: fs.Duration("patience", 5*time.Minute, "with --fleet: how long a phone tries before it gives up"),
		csv:      fs.String("csv", "", "with --fleet: print its `extensions` or phones for the import of the REST API, and be nothing"),
	}
}

// perPhone is what --over is for one phone by default.
const perPhone = 10 * time.Millisecond

// run is the fleet; what it shares with a single phone is in o.
func (f fleetFlags) run(ctx context.Context, o fleet.Options, trust *x509.CertPool) error {
	switch *f.csv {
	case "":
	case "extensions":
		return fleet.WriteExtensions(os.Stdout, *f.size)
	case "phones":
		return fleet.WritePhones(os.Stdout, *f.size)
	default:
		return fmt.Errorf("--csv: %q is neither extensions nor phones", *f.csv)
	}
	o.Size, o.Interface, o.Patience, o.Trust, o.Over = *f.size, *f.iface, *f.patience, trust, *f.over
	if o.Over == 0 {
		o.Over = perPhone * time.Duration(o.Size)
	}
	if *f.storm {
		o.Over = 0
	}
	o.Bar = terminal()
	report, err := fleet.Run(ctx, o)
	if report == nil {
		return err
	}
	report.Print(os.Stdout)
	if n := report.Count(fleet.Failed); err == nil && n > 0 {
		return fmt.Errorf("%d of %d phones failed", n, o.Size)
	}
	return err
}

// terminal is where a progress bar can be drawn; nil when nobody would see it.
func terminal() io.Writer {
	info, err := os.Stderr.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return os.Stderr
}
