// Package upgrade is what a job "firmware" does to one phone: let it have the image
// of a target, tell it to fetch its configuration, and see whether it comes back,
// registered and with the version of the image. It keeps nothing itself; package
// rollout runs it, package firmware knows the images.
package upgrade

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"pbx.dev/dialtone/firmware"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/rollout"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/internal/useragent"
)

// Kind is the kind of these jobs.
const Kind = "firmware"

// ArgImage is the argument of a job that has the ID of the image.
const ArgImage = "firmwareId"

// The outcomes of a phone.
const (
	Upgraded      = "upgraded"       // it registered with the version of the image
	SameVersion   = "same-version"   // it is registered with another version
	NotRegistered = "not-registered" // it did not come back, or has not yet
	NoAnswer      = "no-answer"      // it could not be told
)

// Images is package firmware's Service.
type Images interface {
	Image(id string) (phone.FirmwareImage, bool)
	// Admit lets a rollout reach a phone with an image.
	Admit(ctx context.Context, mac phone.MAC, imageID string) error
}

// Task is a rollout.Task.
type Task struct {
	// Phone finds a phone of the list.
	Phone  func(id string) (roster.Phone, bool)
	Images Images
	// Tell tells a phone to fetch its configuration; *resync.Task does.
	Tell func(ctx context.Context, job phone.Job, phoneID string) error
}

var _ rollout.Task = (*Task)(nil)

// Begin implements rollout.Task.
func (t *Task) Begin(ctx context.Context, job phone.Job, id string) error {
	p, ok := t.Phone(id)
	if !ok {
		return &rollout.Failure{Outcome: NoAnswer, Reason: "The phone is not in the inventory any more."}
	}
	if err := t.Images.Admit(ctx, p.MAC, job.Args[ArgImage]); err != nil {
		return err
	}
	if v := t.Look(ctx, job, phone.JobPhone{PhoneID: id, StartedAt: time.Now()}); v.OK {
		return nil // it has the version already
	}
	return t.Tell(ctx, job, id)
}

// Look implements rollout.Task. What proves the upgrade is a registration with the
// new version; a phone whose REGISTER does not tell its version proves it by the
// files it fetched, and by registering after it was told.
func (t *Task) Look(_ context.Context, job phone.Job, jp phone.JobPhone) rollout.Verdict {
	p, ok := t.Phone(jp.PhoneID)
	if !ok {
		return rollout.Verdict{Outcome: NoAnswer, Reason: "The phone is not in the inventory any more.", Done: true}
	}
	image, ok := t.Images.Image(job.Args[ArgImage])
	if !ok {
		return rollout.Verdict{Outcome: NoAnswer, Reason: "The image has been deleted.", Done: true}
	}
	registered := useragent.Parse(p.UserAgent, useragent.SIP).Firmware
	since := jp.StartedAt.Truncate(time.Millisecond) // as all times are kept
	switch {
	case !p.Registered:
		return rollout.Verdict{Outcome: NotRegistered, Reason: "It is not registered" + lastTime(p.LastRegistered) + "."}
	case firmware.Same(registered, image.Version):
		return rollout.Verdict{Outcome: Upgraded, Done: true, OK: true}
	case registered == "" && firmware.Same(p.Firmware, image.Version) && !p.LastRegistered.Before(since):
		return rollout.Verdict{Outcome: Upgraded, Done: true, OK: true}
	}
	return rollout.Verdict{Outcome: SameVersion, Reason: fmt.Sprintf("It is registered with version %s, the image is %s.", cmp.Or(p.Firmware, "unknown"), image.Version)}
}

func lastTime(at time.Time) string {
	if at.IsZero() {
		return " and never was"
	}
	return "; it last was at " + at.UTC().Format("2006-01-02 15:04:05 UTC")
}
