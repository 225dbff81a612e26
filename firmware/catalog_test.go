package firmware

import (
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// rom is an image of the T46S: "66.85.0.5", or "66.86.0.15<66.85.0.1" for one that
// requires a version.
func rom(spec string) phone.FirmwareImage {
	version, requires, _ := strings.Cut(spec, "<")
	return phone.FirmwareImage{
		ID: "fw_" + version, Vendor: phone.Yealink, Models: []string{"T46S"}, Version: version, Requires: requires,
		Name: "T46S-" + version + ".rom", SHA256: strings.Repeat("0", 64),
	}
}

func t46s(version string) Phone {
	return Phone{MAC: phone.MAC{0x80, 0x5e, 0xc0, 1, 2, 3}, Vendor: phone.Yealink, Model: "SIP-T46S", Version: version}
}

func stockOf(target phone.FirmwareTarget, specs ...string) *stock {
	var images []phone.FirmwareImage
	for _, s := range specs {
		images = append(images, rom(s))
	}
	target.Vendor, target.Model, target.Key = phone.Yealink, "T46S", "T46S"
	return newStock(images, []phone.FirmwareTarget{target})
}

// Which image a phone is offered, by the version it reports.
func TestOffer(t *testing.T) {
	t.Parallel()
	graph := []string{"66.80.0.1", "66.84.0.10<66.80.0.1", "66.84.0.9<66.80.0.1", "66.86.0.15<66.84.0.1", "66.87.0.1<66.99.0.1"}
	goal := phone.FirmwareTarget{ImageID: "fw_66.86.0.15"}
	down := phone.FirmwareTarget{ImageID: "fw_66.80.0.1", AllowDowngrade: true}
	for name, tt := range map[string]struct {
		target  phone.FirmwareTarget
		version string
		known   phone.FirmwareState
		want    string // version; empty: none
		reason  string
	}{
		"one step":                 {goal, "66.85.0.5", phone.FirmwareState{}, "66.86.0.15", ""},
		"has it":                   {goal, "66.86.0.15", phone.FirmwareState{}, "66.86.0.15", ""},
		"two steps, newest stone":  {goal, "66.80.0.20", phone.FirmwareState{}, "66.84.0.10", "on the way to 66.86.0.15"},
		"three steps":              {goal, "66.70.0.1", phone.FirmwareState{}, "66.80.0.1", "on the way"},
		"on a stone":               {goal, "66.84.0.10", phone.FirmwareState{}, "66.86.0.15", ""},
		"numbers, not text":        {goal, "66.9.0.1", phone.FirmwareState{}, "66.80.0.1", "on the way"},
		"unknown version":          {goal, "", phone.FirmwareState{}, "", "has not said"},
		"newer":                    {goal, "66.86.0.150", phone.FirmwareState{}, "", "newer version"},
		"newer, allowed":           {down, "66.86.0.15", phone.FirmwareState{}, "66.80.0.1", ""},
		"no way":                   {phone.FirmwareTarget{ImageID: "fw_66.87.0.1"}, "66.86.0.15", phone.FirmwareState{}, "", "no image leads there"},
		"deleted":                  {phone.FirmwareTarget{ImageID: "fw_gone"}, "66.86.0.15", phone.FirmwareState{}, "", "gone"},
		"not reached":              {phone.FirmwareTarget{ImageID: "fw_66.86.0.15", JobID: "job_1"}, "66.85.0.5", phone.FirmwareState{}, "", "not reached"},
		"not reached, fallback":    {phone.FirmwareTarget{ImageID: "fw_66.86.0.15", JobID: "job_1", FallbackID: "fw_66.84.0.9"}, "66.82.0.1", phone.FirmwareState{}, "66.84.0.9", "not reached"},
		"reached":                  {phone.FirmwareTarget{ImageID: "fw_66.86.0.15", JobID: "job_1"}, "66.85.0.5", phone.FirmwareState{Admitted: "fw_66.86.0.15"}, "66.86.0.15", ""},
		"reached by another":       {phone.FirmwareTarget{ImageID: "fw_66.86.0.15", JobID: "job_1"}, "66.85.0.5", phone.FirmwareState{Admitted: "fw_66.84.0.9"}, "", "not reached"},
		"stopped":                  {goal, "66.85.0.5", phone.FirmwareState{Fetched: "fw_66.86.0.15", Version: "66.85.0.5", StoppedAt: time.Unix(1, 0)}, "", "again and again"},
		"stopped, another version": {goal, "66.85.0.6", phone.FirmwareState{Fetched: "fw_66.86.0.15", Version: "66.85.0.5", StoppedAt: time.Unix(1, 0)}, "66.86.0.15", ""},
		"stopped, another image":   {goal, "66.85.0.5", phone.FirmwareState{Fetched: "fw_66.84.0.9", Version: "66.85.0.5", StoppedAt: time.Unix(1, 0)}, "66.86.0.15", ""},
	} {
		o := stockOf(tt.target, graph...).offer(t46s(tt.version), tt.known)
		if o.Image.Version != tt.want || tt.reason == "" && o.Reason != "" || !strings.Contains(o.Reason, tt.reason) {
			t.Errorf("%s: %q (%s), want %q (%s)", name, o.Image.Version, o.Reason, tt.want, tt.reason)
		}
	}
	other := t46s("66.85.0.5")
	other.Model = "T48S"
	if o := stockOf(goal, graph...).offer(other, phone.FirmwareState{}); o.Image.ID != "" {
		t.Errorf("another model: %+v", o)
	}
}

// The revision of the hardware that the phone itself reports decides.
func TestOfferByHardware(t *testing.T) {
	t.Parallel()
	v1, v2 := rom("66.85.0.1"), rom("66.86.0.1")
	v2.Hardware = []string{"V2"}
	s := newStock([]phone.FirmwareImage{v1, v2}, []phone.FirmwareTarget{
		{Vendor: phone.Yealink, Model: "T46S", Key: "T46S", ImageID: v1.ID},
		{Vendor: phone.Yealink, Model: "T46S", Key: "T46S", Hardware: "V2", ImageID: v2.ID},
	})
	for hardware, want := range map[string]string{"": v1.ID, "V1": v1.ID, "V2": v2.ID} {
		p := t46s("66.84.0.1")
		p.Hardware = hardware
		if o := s.offer(p, phone.FirmwareState{}); o.Image.ID != want {
			t.Errorf("%q: %q, want %q", hardware, o.Image.ID, want)
		}
	}
	only := newStock([]phone.FirmwareImage{v2}, []phone.FirmwareTarget{{Vendor: phone.Yealink, Model: "T46S", Key: "T46S", ImageID: v2.ID}})
	if o := only.offer(t46s("66.84.0.1"), phone.FirmwareState{}); o.Image.ID != "" || !strings.Contains(o.Reason, "other hardware") {
		t.Errorf("a phone that has not told its revision: %+v", o)
	}
}

// What a bare name means: the target decides, and no upload changes it.
func TestNamed(t *testing.T) {
	t.Parallel()
	image := func(id, version string) phone.FirmwareImage {
		return phone.FirmwareImage{ID: id, Vendor: phone.Grandstream, Models: []string{"GXP2170"}, Version: version, Name: "gxp2170fw.bin"}
	}
	first, second := image("fw_1", "1.0.11.85"), image("fw_2", "1.0.9.1")
	gxp := Phone{Vendor: phone.Grandstream, Model: "GXP2170"}
	for name, tt := range map[string]struct {
		targets  []phone.FirmwareTarget
		phone    Phone
		want     string
		targeted bool
	}{
		"first uploaded":   {nil, Phone{}, "fw_1", false},
		"target":           {[]phone.FirmwareTarget{{Vendor: phone.Grandstream, Model: "GXP2170", ImageID: "fw_2"}}, gxp, "fw_2", true},
		"unknown phone":    {[]phone.FirmwareTarget{{Vendor: phone.Grandstream, Model: "GXP2170", ImageID: "fw_2"}}, Phone{}, "fw_2", true},
		"other vendor":     {nil, t46s(""), "", false},
		"during a rollout": {[]phone.FirmwareTarget{{Vendor: phone.Grandstream, Model: "GXP2170", ImageID: "fw_2", FallbackID: "fw_1", JobID: "job_1"}}, gxp, "fw_1", true},
	} {
		got, targeted, _ := newStock([]phone.FirmwareImage{first, second}, tt.targets).named("GXP2170FW.BIN", tt.phone)
		if got.ID != tt.want || targeted != tt.targeted {
			t.Errorf("%s: %q %v, want %q %v", name, got.ID, targeted, tt.want, tt.targeted)
		}
	}
}

// Three whole fetches within an hour with no change of version stop an image.
func TestBreaker(t *testing.T) {
	t.Parallel()
	type fetch struct {
		after   time.Duration
		image   string
		version string
		stops   bool
	}
	for name, fetches := range map[string][]fetch{
		"three":               {{0, "a", "1", false}, {time.Minute, "a", "1", false}, {time.Minute, "a", "1", true}, {time.Minute, "a", "1", false}},
		"too slow":            {{0, "a", "1", false}, {31 * time.Minute, "a", "1", false}, {30 * time.Minute, "a", "1", false}, {20 * time.Minute, "a", "1", true}},
		"version changed":     {{0, "a", "1", false}, {0, "a", "1", false}, {0, "a", "2", false}, {0, "a", "2", false}, {0, "a", "2", true}},
		"other image":         {{0, "a", "1", false}, {0, "a", "1", false}, {0, "b", "1", false}, {0, "a", "1", false}},
		"never said":          {{0, "a", "", false}, {0, "a", "", false}, {0, "a", "", true}},
		"said in between":     {{0, "a", "", false}, {0, "a", "1", false}, {0, "a", "", true}},
		"stops again, second": {{0, "a", "1", false}, {0, "a", "1", false}, {0, "a", "1", true}, {0, "b", "1", false}, {0, "b", "1", false}, {0, "b", "1", true}},
	} {
		now := time.Unix(1_800_000_000, 0)
		var f phone.FirmwareState
		for i, x := range fetches {
			now = now.Add(x.after)
			if got := noteFetch(&f, x.image, x.version, now); got != x.stops {
				t.Errorf("%s: fetch %d stops: %v", name, i+1, got)
			}
			if len(f.Fetches) > loopFetches {
				t.Errorf("%s: %d fetches are kept", name, len(f.Fetches))
			}
		}
	}
}

// What a phone should run: the target, when its rollout has reached the phone.
func TestWanted(t *testing.T) {
	t.Parallel()
	goal, before := rom("66.86.0.1"), rom("66.85.0.1")
	target := phone.FirmwareTarget{Vendor: phone.Yealink, Model: "T46S", Key: "T46S", ImageID: goal.ID}
	staged := target
	staged.JobID, staged.FallbackID = "job_1", before.ID
	for name, c := range map[string]struct {
		target  phone.FirmwareTarget
		known   phone.FirmwareState
		version string
		want    string
	}{
		"behind":                {target, phone.FirmwareState{}, "66.84.0.1", "66.86.0.1"},
		"ahead":                 {target, phone.FirmwareState{}, "66.99.0.1", "66.86.0.1"},
		"there":                 {target, phone.FirmwareState{}, "66.86.0.1", ""},
		"does not say":          {target, phone.FirmwareState{}, "", ""},
		"not reached":           {staged, phone.FirmwareState{}, "66.85.0.1", ""},
		"behind the one before": {staged, phone.FirmwareState{}, "66.84.0.1", "66.85.0.1"},
		"reached":               {staged, phone.FirmwareState{Admitted: goal.ID}, "66.85.0.1", "66.86.0.1"},
	} {
		s := newStock([]phone.FirmwareImage{goal, before}, []phone.FirmwareTarget{c.target})
		if got := s.wanted(t46s(c.version), c.known); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := newStock(nil, nil).wanted(t46s("66.84.0.1"), phone.FirmwareState{}); got != "" {
		t.Errorf("without a target: %q", got)
	}
}
