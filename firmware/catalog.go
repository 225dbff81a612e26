package firmware

import (
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
)

// Phone is what is known of the phone that an image is chosen for. What is not
// known is empty.
type Phone struct {
	MAC      phone.MAC
	Vendor   phone.Vendor
	Model    string
	Version  string // as it reports it
	Hardware string // revision, as it reports it
}

// Offer says which image a phone is to run next and why.
type Offer struct {
	Image  phone.FirmwareImage  // its ID is empty when none is offered
	Target phone.FirmwareTarget // of the phone's model; its ImageID is empty when there is none
	Reason string               // one sentence; empty when Image is simply the target
}

// stock is all images and targets as they are in the database, never changed.
type stock struct {
	images  []phone.FirmwareImage // oldest first
	byID    map[string]phone.FirmwareImage
	targets map[targetKey]phone.FirmwareTarget
}

type targetKey struct {
	vendor        phone.Vendor
	key, hardware string
}

func newStock(images []phone.FirmwareImage, targets []phone.FirmwareTarget) *stock {
	s := &stock{images: images, byID: map[string]phone.FirmwareImage{}, targets: map[targetKey]phone.FirmwareTarget{}}
	for _, i := range images {
		s.byID[i.ID] = i
	}
	for _, t := range targets {
		s.targets[targetKey{t.Vendor, t.Key, t.Hardware}] = t
	}
	return s
}

// target finds the target for a phone: that of its hardware revision first.
func (s *stock) target(p Phone) (phone.FirmwareTarget, bool) {
	key := catalog.ModelKey(string(p.Vendor), p.Model)
	if p.Hardware != "" {
		if t, ok := s.targets[targetKey{p.Vendor, key, p.Hardware}]; ok {
			return t, true
		}
	}
	t, ok := s.targets[targetKey{p.Vendor, key, ""}]
	return t, ok
}

// offer chooses the image for a phone of which known is what happened so far.
func (s *stock) offer(p Phone, known phone.FirmwareState) Offer {
	t, ok := s.target(p)
	if !ok {
		return Offer{Reason: "the model has no target"}
	}
	o := Offer{Target: t}
	goal := s.byID[t.ImageID]
	if t.JobID != "" && known.Admitted != t.ImageID {
		if o.Reason = "the rollout has not reached the phone"; t.FallbackID == "" {
			return o
		}
		goal = s.byID[t.FallbackID]
	}
	image, why := s.step(p, goal, t.AllowDowngrade)
	if image.ID == "" {
		o.Reason = why
		return o
	}
	if why != "" {
		o.Reason = why
	}
	if stopped(known, image.ID, p.Version) {
		o.Reason = "the phone fetched it again and again and kept its version"
		return o
	}
	o.Image = image
	return o
}

// wanted is the version of the target, as far as a rollout has reached the phone, if
// that is another than the phone's.
func (s *stock) wanted(p Phone, known phone.FirmwareState) string {
	t, ok := s.target(p)
	if !ok || p.Version == "" {
		return ""
	}
	id := t.ImageID
	if t.JobID != "" && known.Admitted != t.ImageID {
		id = t.FallbackID
	}
	goal := s.byID[id]
	if goal.Version == "" || !fits(goal, p) || Same(goal.Version, p.Version) {
		return ""
	}
	return goal.Version
}

// step is goal, or the image that a phone has to take before it, or none.
func (s *stock) step(p Phone, goal phone.FirmwareImage, down bool) (image phone.FirmwareImage, why string) {
	switch {
	case goal.ID == "":
		return goal, "the image of the target is gone"
	case !fits(goal, p):
		return phone.FirmwareImage{}, "the image is for other hardware than the phone's"
	case p.Version != "" && older(goal.Version, p.Version):
		if !down {
			return phone.FirmwareImage{}, "the phone has a newer version"
		}
		return goal, "" // what an image requires is about the way up
	case goal.Requires == "" || Same(goal.Version, p.Version) || p.Version != "" && !older(p.Version, goal.Requires):
		return goal, ""
	case p.Version == "":
		return phone.FirmwareImage{}, "the image needs version " + goal.Requires + " first, and the phone has not said which it has"
	}
	if next, ok := s.stone(p, goal); ok {
		return next, "on the way to " + goal.Version + ", which needs " + goal.Requires + " first"
	}
	return phone.FirmwareImage{}, "the image needs version " + goal.Requires + " first, and no image leads there"
}

// fits reports whether an image is for the hardware of a phone. A phone that has
// not told is given no image that is for some revisions only.
func fits(i phone.FirmwareImage, p Phone) bool {
	return len(i.Hardware) == 0 || slices.Contains(i.Hardware, p.Hardware)
}

// stone finds the first image on the shortest way from what the phone has to goal;
// of several ways of one length it takes the newest images.
func (s *stock) stone(p Phone, goal phone.FirmwareImage) (phone.FirmwareImage, bool) {
	candidates := s.stones(p, goal)
	type place struct {
		version string
		first   phone.FirmwareImage
	}
	seen := map[string]bool{}
	for edge := []place{{version: p.Version}}; len(edge) > 0; {
		var next []place
		for _, at := range edge {
			for _, i := range candidates {
				if seen[i.ID] || !older(at.version, i.Version) || i.Requires != "" && older(at.version, i.Requires) {
					continue
				}
				first := at.first
				if first.ID == "" {
					first = i
				}
				if i.ID == goal.ID {
					return first, true
				}
				seen[i.ID] = true
				next = append(next, place{i.Version, first})
			}
		}
		edge = next
	}
	return phone.FirmwareImage{}, false
}

// stones are the images that a phone can be led over, goal among them, newest first.
func (s *stock) stones(p Phone, goal phone.FirmwareImage) []phone.FirmwareImage {
	var out []phone.FirmwareImage
	for _, i := range s.images {
		usable := i.ID == goal.ID || i.Version != "" && older(i.Version, goal.Version) && forModel(i, p) && fits(i, p)
		if i.Vendor == goal.Vendor && usable {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b phone.FirmwareImage) int { return Compare(b.Version, a.Version) })
	return out
}

// forModel reports whether an image says that it is for the model of a phone.
func forModel(i phone.FirmwareImage, p Phone) bool {
	return slices.ContainsFunc(i.Models, func(m string) bool { return catalog.SameModel(string(i.Vendor), m, p.Model) })
}

// named finds the image that a phone means which asks for a bare name. Which one
// it gets never changes because something was uploaded: the target decides, and
// without one the image that was there first. ambiguous: it was not a target's.
func (s *stock) named(name string, p Phone) (image phone.FirmwareImage, targeted, ok bool) {
	var targets []phone.FirmwareImage
	for _, i := range s.images {
		if !strings.EqualFold(i.Name, name) || p.Vendor != "" && i.Vendor != p.Vendor {
			continue
		}
		if !ok {
			image, ok = i, true
		}
		if s.isTarget(i, p) {
			targets = append(targets, i)
		}
	}
	if len(targets) == 0 {
		return image, false, ok
	}
	// Models that share a name and not a target: the older image harms nobody.
	return slices.MinFunc(targets, func(a, b phone.FirmwareImage) int { return Compare(a.Version, b.Version) }), true, true
}

// isTarget reports whether an image is the target of the model of a phone, or of
// any model when that is not known. During a rollout it is the fallback.
func (s *stock) isTarget(i phone.FirmwareImage, p Phone) bool {
	for _, t := range s.targets {
		id := t.ImageID
		if t.JobID != "" {
			id = t.FallbackID
		}
		if id == i.ID && (p.Model == "" || catalog.SameModel(string(t.Vendor), t.Model, p.Model)) {
			return true
		}
	}
	return false
}
