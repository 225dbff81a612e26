// Package config reads dialtone's settings: defaults, then a YAML file, then
// DIALTONE_* environment variables, then flags, each over the one before. Only
// internal/app and cmd import it; every other package takes its own Options.
package config

import (
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// Off is the value that disables a listener, Auto the one that leaves it to the program.
const (
	Off  = "off"
	Auto = "auto"
)

// Config holds every setting. The zero value is not usable; start with Default.
type Config struct {
	// Node names this process among several behind one store; empty: the host name.
	Node string `yaml:"node"`
	// DataDir holds the database, keys, firmware and uploads (mode 0700).
	DataDir string `yaml:"data_dir"`
	// MasterKey is the key of everything encrypted at rest, 64 hexadecimal digits, the
	// same on all nodes; empty: data_dir/secret.key, made on the first start.
	MasterKey phone.Secret `yaml:"master_key"`
	// Advertise is the address written into DHCP options, templates and SIP;
	// empty: the first IPv4 address of the host that is not loopback.
	Advertise string `yaml:"advertise"`
	// ForgetAfter is how long a phone that nobody provisioned stays in the list
	// after its last registration.
	ForgetAfter Duration `yaml:"forget_after"`

	Database  Database  `yaml:"database"`
	Redis     Redis     `yaml:"redis"`
	Admin     Admin     `yaml:"admin"`
	HTTP      HTTP      `yaml:"http"`
	HTTPS     HTTPS     `yaml:"https"`
	TFTP      TFTP      `yaml:"tftp"`
	DHCP      DHCP      `yaml:"dhcp"`
	PnP       PnP       `yaml:"pnp"`
	SIP       SIP       `yaml:"sip"`
	Provision Provision `yaml:"provision"`
	Uploads   Uploads   `yaml:"uploads"`
	Firmware  Firmware  `yaml:"firmware"`
	Webhook   Webhook   `yaml:"webhook"`
	Log       Log       `yaml:"log"`
}

// Database says where the inventory lives.
type Database struct {
	URL phone.Secret `yaml:"url"` // empty: SQLite in data_dir; postgres://...
	// Takeover is how long a node must be silent before another one goes on with its
	// jobs and its webhook. Clocks must agree within half of it.
	Takeover Duration `yaml:"takeover"`
}

// Redis says where registrations live.
type Redis struct {
	URL phone.Secret `yaml:"url"` // empty: the embedded store in data_dir
}

// Admin is the listener of the REST API, the page and the metrics.
type Admin struct {
	Listen string `yaml:"listen"`
}

// HTTP is the plain listener of the phones.
type HTTP struct {
	Listen string `yaml:"listen"`
}

// HTTPS is the TLS listener of the phones.
type HTTPS struct {
	Listen   string `yaml:"listen"`
	Cert     string `yaml:"cert"`      // PEM file; empty: made by our own CA
	Key      string `yaml:"key"`       // PEM file that belongs to Cert
	ClientCA string `yaml:"client_ca"` // PEM bundle of the phones' factory CAs
	// LegacyListen is a further listener for phones of before 2012: TLS 1.0 and 1.1,
	// ciphers without forward secrecy, an RSA certificate.
	LegacyListen string `yaml:"legacy_listen"`
}

// TFTP is the TFTP listener of the phones.
type TFTP struct {
	Listen  string `yaml:"listen"`  // empty: ":69" when the process may bind it, else ":6969"
	Blksize int    `yaml:"blksize"` // most bytes of a file in a packet, 8..65464 (RFC 2348)
}

// DHCP is the DHCP responder.
type DHCP struct {
	Mode       string   `yaml:"mode"`        // off, proxy, lease
	Interface  string   `yaml:"interface"`   // one name, or several with commas
	ListenPort int      `yaml:"listen_port"` // UDP port
	Range      string   `yaml:"range"`       // lease: "192.0.2.10-192.0.2.99"
	Router     string   `yaml:"router"`      // lease: default gateway of the phones
	DNS        []string `yaml:"dns"`         // lease: DNS servers of the phones; empty: those of this host
	LeaseTime  Duration `yaml:"lease_time"`
	PhonesOnly bool     `yaml:"phones_only"`
	// VLAN is the VLAN that phones are told to use (options 132, 128 and the like);
	// 0: none. VLANPriority is its 802.1p priority (option 133); 0 is not said.
	VLAN         int `yaml:"vlan"`
	VLANPriority int `yaml:"vlan_priority"`
	// V6 answers DHCPv6 requests for information with the URL (option 59), too.
	V6 bool `yaml:"v6"`
}

// PnP is the SIP PnP responder, which phones ask by multicast.
type PnP struct {
	Interface string `yaml:"interface"` // one name, or several with commas; empty: off
}

// SIP is the registrar and proxy.
type SIP struct {
	Domain        string   `yaml:"domain"`  // digest realm and domain of every AOR
	Server        string   `yaml:"server"`  // host written into templates
	Aliases       []string `yaml:"aliases"` // further names that mean Domain
	OutboundProxy string   `yaml:"outbound_proxy"`
	Transport     string   `yaml:"transport"` // what templates tell phones to use
	UDP           string   `yaml:"udp"`
	TCP           string   `yaml:"tcp"`
	TLS           string   `yaml:"tls"`
	WS            string   `yaml:"ws"`
	WSS           string   `yaml:"wss"`
	// NodeListen is the UDP socket at which other nodes behind the same Redis reach
	// the phones of this one; NodeAddress is where they send to: ip or ip:port, empty:
	// advertise and the port of NodeListen. Auto is a free port of every address where
	// database.url and redis.url make several nodes possible, reached at the first
	// address of the host.
	NodeListen     string   `yaml:"node_listen"`
	NodeAddress    string   `yaml:"node_address"`
	TLSMinVersion  string   `yaml:"tls_min_version"` // 1.0, 1.1, 1.2, 1.3; of TLS only
	Digest         []string `yaml:"digest"`          // algorithms in the order of offering
	WSOrigins      []string `yaml:"ws_origins"`      // pages that may open a WebSocket; empty: any
	MinExpires     int      `yaml:"min_expires"`     // seconds
	MaxExpires     int      `yaml:"max_expires"`     // seconds
	DefaultExpires int      `yaml:"default_expires"` // seconds
	MaxContacts    int      `yaml:"max_contacts"`    // per extension
	// StrictUnregister: "Contact: *" removes every contact of the extension, as RFC
	// 3261 section 10.2.2 says; false: those of the phone that asks.
	StrictUnregister bool `yaml:"strict_unregister"`
	// DeclineEndsCall: a 6xx of one phone ends the call for all (RFC 3261 section
	// 16.7 step 5); false lets the others ring on.
	DeclineEndsCall bool `yaml:"decline_ends_call"`
	// ForceRport: answers over UDP go to the port that the request came from, whether or
	// not the phone asks for that (RFC 3581).
	ForceRport bool `yaml:"force_rport"`
	Qualify    int  `yaml:"qualify"` // seconds between two OPTIONS to a contact; 0: none
}

// Provision is what phones are given and under which conditions.
type Provision struct {
	Enroll      string   `yaml:"enroll"`  // pending, auto, closed
	Secrets     string   `yaml:"secrets"` // mac, lan, token, mtls
	Below       string   `yaml:"below"`   // deny, strip
	ClaimCodes  bool     `yaml:"claim_codes"`
	ProbeBudget int      `yaml:"probe_budget"` // per source and ten minutes
	Decoys      []string `yaml:"decoys"`       // MAC addresses
	// HTTPAuth is how phones are asked who they are when they fetch files of their own
	// over HTTP and HTTPS: off, basic, digest.
	HTTPAuth      string       `yaml:"http_auth"`
	LAN           []string     `yaml:"lan"` // CIDR
	URL           string       `yaml:"url"` // empty: http://advertise:port/
	TimeZone      string       `yaml:"timezone"`
	NTP           string       `yaml:"ntp"`
	AdminPassword phone.Secret `yaml:"admin_password"` // of the phones' menus; empty: made on first start
}

// Uploads is what phones may store on the server: logs, what their users changed,
// directories, call lists.
type Uploads struct {
	FileKB  int      `yaml:"file_kb"`  // of one file, in KiB
	PhoneKB int      `yaml:"phone_kb"` // of all files of a phone, in KiB
	TotalMB int      `yaml:"total_mb"` // of all phones, in MiB
	Keep    Duration `yaml:"keep"`     // after the phone wrote or read the file last
}

// Firmware is how images are given to phones.
type Firmware struct {
	Downloads int `yaml:"downloads"` // at a time
}

// Webhook is a server that is told when a phone begins or ends to differ from what
// is provisioned.
type Webhook struct {
	URL    phone.Secret `yaml:"url"`    // http or https; empty: nobody is told
	Secret phone.Secret `yaml:"secret"` // signs what is sent; empty: it is not signed
}

// Log is the log on standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// Default returns the configuration that runs without root on one machine.
func Default() Config {
	return Config{
		DataDir:     "./data",
		ForgetAfter: Duration(30 * 24 * time.Hour),
		Database:    Database{Takeover: Duration(time.Minute)},
		Admin:       Admin{Listen: "127.0.0.1:8080"},
		HTTP:        HTTP{Listen: ":8081"},
		HTTPS:       HTTPS{Listen: ":8443", LegacyListen: Off},
		TFTP:        TFTP{Blksize: 1468},
		DHCP:        DHCP{Mode: Off, ListenPort: 67, DNS: []string{}, LeaseTime: Duration(12 * time.Hour), PhonesOnly: true},
		SIP: SIP{
			Domain: "pbx.dev", Server: "sip.pbx.dev", Aliases: []string{}, OutboundProxy: "auto", Transport: "udp",
			UDP: ":5060", TCP: ":5060", TLS: ":5061", WS: ":5066", WSS: ":7443", NodeListen: Auto,
			TLSMinVersion: "1.2", Digest: []string{"MD5", "SHA-256"}, WSOrigins: []string{},
			MinExpires: 60, MaxExpires: 7200, DefaultExpires: 3600, MaxContacts: 10, DeclineEndsCall: true,
		},
		Provision: Provision{
			Enroll: "pending", Secrets: "lan", HTTPAuth: Off, Below: "deny", ProbeBudget: 300, Decoys: []string{},
			LAN: []string{
				"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8",
				"::1/128", "fc00::/7", "fe80::/10",
			},
			TimeZone: "UTC", NTP: "pool.ntp.org",
		},
		Uploads:  Uploads{FileKB: 1024, PhoneKB: 4096, TotalMB: 1024, Keep: Duration(30 * 24 * time.Hour)},
		Firmware: Firmware{Downloads: 64},
		Log:      Log{Level: "info", Format: "text"},
	}
}
