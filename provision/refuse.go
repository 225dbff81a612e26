package provision

import (
	"errors"
	"fmt"
	"net/netip"

	"pbx.dev/dialtone/internal/phone"
)

// ErrOverBudget is how Get refuses a source that has asked for too much in vain. It
// is phone.ErrNotFound, and gets that answer over HTTP; over TFTP, where a source
// can be forged, it gets none.
var ErrOverBudget = fmt.Errorf("over budget: %w", phone.ErrNotFound)

// fail ends Get. A refusal of any kind leaves as the one phone.ErrNotFound; why it
// happened goes into the event only.
func (f *fetch) fail(err error, detail string) (File, error) {
	f.event.Detail = detail
	switch {
	case errors.Is(err, errDenied):
		f.event.Outcome, err = outcomeDenied, phone.ErrNotFound
	case errors.Is(err, phone.ErrNotFound):
		f.event.Outcome, err = outcomeNotFound, phone.ErrNotFound
	default:
		f.event.Outcome = outcomeError
		return File{fetch: f}, err
	}
	if !f.usual && f.probe().over {
		err = ErrOverBudget
	}
	return File{fetch: f}, err
}

// probe counts the request among those that were made in vain, once.
func (f *fetch) probe() verdict {
	if f.probed {
		return f.verdict
	}
	s := f.service
	what, mac := f.event.Path, phone.MAC{}
	if !f.target.MAC.IsZero() {
		mac = f.target.MAC
		what = mac.Hex()
	}
	f.probed = true
	f.verdict = s.probes.probe(f.source, what+"/"+f.token, mac, s.now())
	f.muted = f.verdict.over
	if b := f.verdict.banned; b.Source.IsValid() {
		s.tellBan(b)
	}
	return f.verdict
}

// banLine is the message of the log line that fail2ban and the like look for;
// docs/OPERATIONS.md promises its form.
const banLine = "provision: ban"

// tellBan says once that a source is banned from now on.
func (s *Service) tellBan(b Ban) {
	s.metrics.scans.WithLabelValues(b.Reason).Inc()
	source := b.Source.Addr().String()
	if b.Source.Addr().Is6() {
		source = b.Source.String()
	}
	s.log.Warn(banLine, "source", source, "reason", b.Reason)
	if s.opts.Recorder != nil {
		s.opts.Recorder(phone.Event{
			At: b.Since, Kind: phone.EventScan, Outcome: outcomeDenied, Source: source,
			Detail: map[string]string{
				"scan":  "it asks for one phone after the other that nobody has",
				"decoy": "it asked for a phone that does not exist and is never asked for",
			}[b.Reason],
		})
	}
}

// Bans lists the sources that ask for what is not theirs, in the order of their
// addresses: material for a firewall. They get nothing here either way.
func (s *Service) Bans() []Ban { return s.probes.bans(s.now()) }

// Pardon ends the ban of a source of Bans, on this node; false when it is not banned.
func (s *Service) Pardon(source netip.Prefix) bool { return s.probes.pardon(source, s.now()) }
