package phone

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Template is a template that an administrator uploaded. On the phones that it is
// for it stands in for the built-in template of the same vendor and file.
type Template struct {
	Name   string // unique: 1 to 64 of a-z, 0-9 and '-'
	Vendor Vendor
	File   string // which file it renders, as package templates names it: "phone", "common"

	Active    int64 // number of the revision that phones get; 0: none, the built-in one is served
	Latest    int64 // number of the newest revision
	CreatedAt time.Time
	UpdatedAt time.Time
}

// TemplateRevision is one version of a template. It never changes; its number
// grows by one, and its ID says what is in it.
type TemplateRevision struct {
	Template string // name
	Number   int64  // 1 is the first
	ID       string // hex of the SHA-256 of all that follows up to Base
	TemplateContent

	Base      string // text of the built-in template it was made from; empty: there was none
	Note      string // what was changed, in the author's words
	CreatedBy string // id of the API key
	CreatedAt time.Time
}

// TemplateContent is what a revision holds.
type TemplateContent struct {
	Text string `json:"text"`
	// Models it is for, as the inventory spells them in any case; none: all of the vendor.
	Models []string `json:"models,omitempty"`
	// MinFirmware and MaxFirmware bound the firmware it is for, both inclusive, by
	// comparing dotted numbers; empty: no bound.
	MinFirmware string             `json:"minFirmware,omitempty"`
	MaxFirmware string             `json:"maxFirmware,omitempty"`
	Variables   []TemplateVariable `json:"variables,omitempty"`
}

// TemplateVariable is a value that the template takes from the phone's settings,
// where it is called "vars.NAME".
type TemplateVariable struct {
	Name    string   `json:"name"`              // 1 to 32 letters, digits and '_'
	Type    string   `json:"type,omitempty"`    // "text", "number", "bool" or "choice"; empty: text
	Default string   `json:"default,omitempty"` // what phones without the setting get
	Choices []string `json:"choices,omitempty"` // of a choice
	Help    string   `json:"help,omitempty"`    // one sentence for people
}

// maxVariable is how long the value of a variable may be, in characters.
const maxVariable = 200

// Valid says why the variable's name cannot be one; empty: it can.
func (v TemplateVariable) Valid() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	if v.Name == "" || len(v.Name) > 32 || strings.Trim(v.Name, letters+"0123456789_") != "" || !strings.Contains(letters, v.Name[:1]) {
		return "must be 1 to 32 letters, digits and '_', a letter first"
	}
	return ""
}

// Check says why a value cannot be that of the variable; empty: it can.
func (v TemplateVariable) Check(value string) string {
	switch v.Type {
	case "number":
		if _, err := strconv.Atoi(value); err != nil {
			return "must be a whole number"
		}
	case "bool":
		if value != "0" && value != "1" {
			return "must be 0 or 1"
		}
	case "choice":
		if !slices.Contains(v.Choices, value) {
			return "must be one of " + strings.Join(v.Choices, ", ")
		}
	}
	if utf8.RuneCountInString(value) > maxVariable {
		return "has more than " + strconv.Itoa(maxVariable) + " characters"
	}
	return ""
}

// TemplateDraft is a revision that is not stored yet.
type TemplateDraft struct {
	TemplateContent
	Base     string // text of the built-in template it was made from
	Merged   bool   // it was merged with the built-in template of today, which is its base
	Note     string
	By       string // id of the API key
	Activate bool   // phones get it, from the same transaction on
	// Check gets the template that the draft is another revision of, a zero one when
	// it is the first.
	Check Check[Template]
}

// TemplateTrial is a revision that a job gives to phones a few at a time.
type TemplateTrial struct {
	Template string // name
	Revision int64
	JobID    string
	// Keep lets the phones that were reached keep it when the job halts, until
	// somebody lets it go on or aborts it; otherwise they get what is active again.
	Keep bool
	// Ended says that all phones get what is active again; those that were reached are
	// still to be told.
	Ended     bool
	CreatedAt time.Time
}
