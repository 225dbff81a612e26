package phone

import "time"

// EventKind says what part of the house an event comes from.
type EventKind string

// The kinds of events on a phone's timeline.
const (
	EventDHCP       EventKind = "dhcp"       // asked for and was given options or a lease
	EventFile       EventKind = "file"       // fetched (or failed to fetch) a file
	EventUpload     EventKind = "upload"     // stored a log or an override
	EventRegister   EventKind = "register"   // a contact was added or changed
	EventUnregister EventKind = "unregister" // a contact was removed by the phone
	EventExpired    EventKind = "expired"    // a contact ran out
	EventFlowLost   EventKind = "flow-lost"  // a contact was removed since its connection ended
	EventAuthFailed EventKind = "auth"       // a wrong password
	EventConnect    EventKind = "connect"    // a TLS or WebSocket connection failed before any SIP
	EventSIP        EventKind = "sip"        // something about its registration is not right, or is again: see the SIP outcomes
	EventCall       EventKind = "call"       // a call leg
	EventNetwork    EventKind = "network"    // something about the network itself, of no phone
	EventPnP        EventKind = "pnp"        // asked by multicast where its configuration is
	EventNotify     EventKind = "notify"     // was told to fetch its configuration or to restart
	EventFirmware   EventKind = "firmware"   // an image was offered in vain
	EventScan       EventKind = "scan"       // a source asks for phones that nobody has
	EventAdmin      EventKind = "admin"      // an administrator changed the device
)

// The outcomes of EventSIP.
const (
	SIPRefused   = "refused"    // a REGISTER was refused for another reason than the password
	SIPStale     = "stale"      // it signs with a nonce that is no longer good, again and again
	SIPOtherUser = "other-user" // it registered with the user of another phone
	SIPSilent    = "silent"     // it leaves OPTIONS unanswered
	SIPAnswers   = "answers"    // it answers them again
)

// Texts in Event.Detail that the diagnosis looks for.
const (
	DetailGiven         = "was given"                                                    // options, by DHCP
	DetailOtherServer   = "another DHCP server"                                          // was chosen by the phone
	DetailStaleTemplate = "the file could not be rendered: the phone got the one it had" // with EventFile
	DetailStaleStore    = "the inventory did not answer: the file is the last one known" // with EventFile
	DetailUnknownUser   = "nobody has the user"                                          // with EventAuthFailed
)

// Event is one thing that happened to a device, as its timeline shows it. It
// holds no secrets: paths are recorded without tokens.
type Event struct {
	ID        int64     `json:"-"`
	At        time.Time `json:"at"`
	Kind      EventKind `json:"kind"`
	MAC       MAC       `json:"macAddress,omitzero"`
	DeviceID  string    `json:"phoneId,omitempty"`
	Proto     string    `json:"protocol,omitempty"` // "tftp", "http", "https", "dhcp", "udp", "tcp", "tls", "ws", "wss"
	Path      string    `json:"path,omitempty"`     // file name as asked, or SIP contact
	Outcome   string    `json:"outcome"`            // "ok", "not-found", "denied", "error" and what the kind defines
	Status    int       `json:"status,omitempty"`   // the protocol's status code
	Bytes     int64     `json:"bytes,omitempty"`
	Millis    int64     `json:"ms,omitempty"` // how long it took
	Revision  int64     `json:"revision,omitempty"`
	UserAgent string    `json:"userAgent,omitempty"`
	Source    string    `json:"source,omitempty"` // ip:port or ip of the peer
	Detail    string    `json:"detail,omitempty"` // one plain sentence
	Count     int64     `json:"count,omitempty"`  // how many the same in the second before At this one stands for; 0: itself only
}
