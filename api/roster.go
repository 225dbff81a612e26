package api

import (
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

type Line struct {
	Line            int
	ExtensionNumber string
	Registered      bool
	AuthUser        string
}
type Phone struct {
	ID                       string
	Provisioned              bool
	Extension, ExtensionName string
	DeviceType               string
	Manufacturer, Model      string
	MAC                      phone.MAC
	IPAddress                string
	Registered               bool
	LastRegistered           time.Time
	UserAgent, Firmware      string
	State                    string
	Lines                    []Line
	MatchedBy                string
	Drift                    []string
	LastProvisioned          time.Time
}
type Filter struct {
	Registered                                 *bool
	DeviceType, Manufacturer, Model, Extension string
	MAC                                        phone.MAC
	State, Drift, Q                            string
}
type Stats struct {
	Total, Registered, Unregistered int
	ByType                          map[string]int
}
type Contact struct {
	Binding location.Binding
	PhoneID string
}
