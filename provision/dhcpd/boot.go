package dhcpd

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// maxURL keeps an option in one piece: above 255 bytes it would be split
// (RFC 3396), which old phones may not join (LIBRARIES.md A1).
const maxURL = 254

// url is what phones are told, in the given shape; false when there is nothing
// to tell or it must not be told (credentials).
func (f Facts) url(shape urlForm) (string, bool) {
	if shape == urlHost {
		host := f.tftpHost()
		return host, host != ""
	}
	u := f.HTTPURL
	if u == "" {
		u = f.HTTPSURL
	}
	if u == "" && f.TFTPHost != "" {
		u = "tftp://" + f.TFTPHost + "/"
	}
	if u == "" {
		return "", false
	}
	u = strings.TrimRight(u, "/")
	if shape == urlSlash {
		u += "/"
	}
	return u, urlFault(u) == ""
}

// tftpHost is the TFTP server where no port can be said; "" when it has none
// on port 69.
func (f Facts) tftpHost() string {
	host, port, err := net.SplitHostPort(f.TFTPHost)
	if err != nil {
		return f.TFTPHost
	}
	if port != "69" {
		return ""
	}
	return host
}

// tftpAddr is tftpHost as an IPv4 address, if it is one.
func (f Facts) tftpAddr() netip.Addr {
	a, err := netip.ParseAddr(f.tftpHost())
	if err != nil || !a.Is4() {
		return netip.Addr{}
	}
	return a
}

// value is the option's bytes for one phone; nil when there is nothing to say.
func (r *row) value(o bootOption, f *Facts, mac phone.MAC, now time.Time) []byte {
	switch o.form {
	case formURL:
		return r.urlBytes(f)
	case formBootfile:
		return []byte(r.file(mac))
	case formTFTPAddrs:
		return addrBytes(f.tftpAddr())
	case formNTP:
		return addrBytes(f.NTP...)
	case formTimeOffset:
		if f.TimeZone == nil {
			return nil
		}
		_, east := now.In(f.TimeZone).Zone()
		return binary.BigEndian.AppendUint32(nil, uint32(int32(east)))
	case formSIP:
		return sipServers(f.SIPServer)
	case formVLAN, formVLANDVD:
		return vlan(o.form, f.VLAN)
	case formPriority:
		return priority(f)
	case formVendor1:
		return subOption(1, r.urlBytes(f))
	case formVendor2:
		return subOption(2, r.urlBytes(f))
	}
	return nil
}

func (r *row) urlBytes(f *Facts) []byte {
	u, ok := f.url(r.url)
	if !ok {
		return nil
	}
	return []byte(u)
}

// file is the boot file of one phone; "" for none.
func (r *row) file(mac phone.MAC) string {
	return strings.ReplaceAll(r.bootfile, "{mac}", mac.Hex())
}

// subOption is one encapsulated vendor option (RFC 2132 section 8.4).
func subOption(code uint8, data []byte) []byte {
	if len(data) == 0 || len(data) > 253 {
		return nil
	}
	return append([]byte{code, uint8(len(data))}, data...)
}

// sipServers is RFC 3361: encoding byte 1 and addresses, or 0 and names in the
// form of RFC 1035 section 3.1.
func sipServers(server string) []byte {
	if server == "" {
		return nil
	}
	if a, err := netip.ParseAddr(server); err == nil {
		if !a.Is4() {
			return nil
		}
		return append([]byte{1}, a.AsSlice()...)
	}
	out := []byte{0}
	for label := range strings.SplitSeq(strings.TrimSuffix(server, "."), ".") {
		if label == "" || len(label) > 63 || len(out) > maxURL-64 {
			return nil
		}
		out = append(append(out, uint8(len(label))), label...)
	}
	return append(out, 0)
}

func vlan(f form, id int) []byte {
	if id < 1 || id > 4094 {
		return nil
	}
	digits := strconv.Itoa(id)
	if f == formVLANDVD {
		return []byte("VLAN-A=" + digits + ";")
	}
	return []byte(digits)
}

// priority is the 802.1p priority of the phone's VLAN; none without a VLAN.
func priority(f *Facts) []byte {
	if f.VLAN == 0 || f.VLANPriority == 0 {
		return nil
	}
	return strconv.AppendInt(nil, int64(f.VLANPriority), 10)
}

// addrBytes is a list of IPv4 addresses; others are left out, and what is over
// the 63 that fit into one option.
func addrBytes(list ...netip.Addr) []byte {
	var out []byte
	for _, a := range list {
		if a.Is4() && len(out) < 252 {
			out = append(out, a.AsSlice()...)
		}
	}
	return out
}
