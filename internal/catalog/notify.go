package catalog

import "pbx.dev/dialtone/internal/phone"

// Event is the value of the Event header of a NOTIFY that tells a phone of this
// maker to fetch its configuration again, or with reboot to restart first
// (phone-facts/request_sequence.md 1.4, 2.5, 3.4 and 4; what no phone here has
// proved is marked there). A Polycom has one event: it restarts when what it
// fetched needs that, and always only with
// voIpProt.SIP.specialEvent.checkSync.alwaysReboot=1.
func Event(v phone.Vendor, reboot bool) string {
	switch v {
	case phone.Polycom:
		return "check-sync"
	case phone.Yealink, "snom":
		// Without the parameter a Yealink does what sip.notify_reboot_enable says.
		if reboot {
			return "check-sync;reboot=true"
		}
		return "check-sync;reboot=false"
	case "cisco", "linksys", "sipura":
		if reboot {
			return "reboot"
		}
		return "resync"
	}
	if reboot {
		return "check-sync;reboot=true"
	}
	return "check-sync"
}
