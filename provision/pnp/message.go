package pnp

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// The messages are few and of one form (phone-facts/request_sequence.md 2.2), so they
// are read and written here: SIP proper lives in the registrar.

const (
	maxDatagram = 4096
	maxHeader   = 512 // bytes of a header that is echoed
	maxVias     = 4
)

// subscribe is a phone's question.
type subscribe struct {
	Phone
	vias                            []string
	from, to, callID, cseq, contact string
}

var errNotOurs = errors.New("not a SUBSCRIBE for the profile of a user agent")

// parseSubscribe reads a datagram. What is echoed has no line ends and no control
// characters, whatever the phone wrote.
func parseSubscribe(b []byte, source netip.AddrPort) (subscribe, error) {
	s := subscribe{Phone: Phone{Source: netip.AddrPortFrom(source.Addr().Unmap(), source.Port())}}
	head, _, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	method, uri, _ := strings.Cut(string(line), " ")
	uri, version, _ := strings.Cut(uri, " ")
	if !ok || method != "SUBSCRIBE" || version != "SIP/2.0" {
		return s, errNotOurs
	}
	event := ""
	for field := range strings.SplitSeq(string(rest), "\r\n") {
		name, value, _ := strings.Cut(field, ":")
		value = strings.TrimSpace(value)
		if len(value) > maxHeader || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return s, errNotOurs
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "via", "v":
			s.vias = append(s.vias, value)
		case "from", "f":
			s.from = value
		case "to", "t":
			s.to = value
		case "call-id", "i":
			s.callID = value
		case "cseq":
			s.cseq = value
		case "contact", "m":
			s.contact = value
		case "event", "o":
			event = value
		case "user-agent":
			s.UserAgent = value
		}
	}
	if err := s.readEvent(event); err != nil {
		return s, err
	}
	var err error
	s.MAC, err = macOf(uri)
	if err != nil || len(s.vias) == 0 || len(s.vias) > maxVias || s.from == "" || s.to == "" || s.callID == "" || !strings.HasSuffix(s.cseq, " SUBSCRIBE") {
		return s, errNotOurs
	}
	return s, nil
}

// readEvent reads ua-profile;profile-type="device";vendor="yealink";model="W52P";...
func (s *subscribe) readEvent(event string) error {
	token, params, _ := strings.Cut(event, ";")
	if !strings.EqualFold(strings.TrimSpace(token), "ua-profile") {
		return errNotOurs
	}
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "vendor":
			s.Vendor = value
		case "model":
			s.Model = value
		case "version":
			s.Version = value
		}
	}
	return nil
}

// macOf reads sip:MAC001565aabbcc@224.0.1.75 and sip:MAC%3a000413...@domain.
func macOf(uri string) (phone.MAC, error) {
	user, ok := strings.CutPrefix(uri, "sip:")
	user, _, at := strings.Cut(user, "@")
	if !ok || !at || len(user) < 3 || !strings.EqualFold(user[:3], "MAC") {
		return phone.MAC{}, errNotOurs
	}
	user = strings.TrimPrefix(strings.ReplaceAll(strings.ToLower(user[3:]), "%3a", ":"), ":")
	mac, err := phone.ParseMAC(user)
	if err == nil && (mac.IsZero() || mac[0]&1 != 0) {
		err = errNotOurs
	}
	return mac, err
}

// accept is the 200 to a SUBSCRIBE. Expires 0: this is one answer, not a subscription.
func (s *subscribe) accept(own netip.AddrPort, tag string) []byte {
	var b bytes.Buffer
	b.WriteString("SIP/2.0 200 OK\r\n")
	for i, v := range s.vias {
		if i == 0 {
			v = s.reached(v)
		}
		fmt.Fprintf(&b, "Via: %s\r\n", v)
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n", s.from, tagged(s.to, tag), s.callID, s.cseq)
	fmt.Fprintf(&b, "Contact: <sip:%s>\r\nExpires: 0\r\nContent-Length: 0\r\n\r\n", own)
	return b.Bytes()
}

// reached is the topmost Via with where the request came from (RFC 3581 section 4).
func (s *subscribe) reached(via string) string {
	out := make([]string, 0, 4)
	for p := range strings.SplitSeq(via, ";") {
		if strings.EqualFold(strings.TrimSpace(p), "rport") {
			p = "rport=" + strconv.Itoa(int(s.Source.Port())) + ";received=" + s.Source.Addr().String()
		}
		out = append(out, p)
	}
	return strings.Join(out, ";")
}

// notify carries the URL. Its URI is the phone's Contact, which says nothing of where
// it is sent: that is where the SUBSCRIBE came from.
func (s *subscribe) notify(own netip.AddrPort, tag, branch, url string) []byte {
	uri := contactURI(s.contact)
	if uri == "" {
		uri = "sip:MAC" + s.MAC.Hex() + "@" + s.Source.String()
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "NOTIFY %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\nMax-Forwards: 70\r\n", uri, own, branch)
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 NOTIFY\r\n", tagged(s.to, tag), s.from, s.callID)
	fmt.Fprintf(&b, "Contact: <sip:%s>\r\nEvent: ua-profile\r\nSubscription-State: terminated;reason=timeout\r\n", own)
	fmt.Fprintf(&b, "Content-Type: application/url\r\nContent-Length: %d\r\n\r\n%s", len(url), url)
	return b.Bytes()
}

// contactURI is the URI of a Contact header, if it can stand in a request line.
func contactURI(contact string) string {
	uri := contact
	if _, after, ok := strings.Cut(contact, "<"); ok {
		uri, _, _ = strings.Cut(after, ">")
	} else {
		uri, _, _ = strings.Cut(uri, ";")
	}
	if !strings.HasPrefix(uri, "sip:") || strings.ContainsAny(uri, " \t\"<>") {
		return ""
	}
	return uri
}

// tagged is a To header with our tag, unless it has one.
func tagged(to, tag string) string {
	if strings.Contains(strings.ToLower(to), ";tag=") {
		return to
	}
	return to + ";tag=" + tag
}

// parseResponse reads the answer to a NOTIFY: its branch and status.
func parseResponse(b []byte) (branch string, status int, ok bool) {
	line, rest, _ := bytes.Cut(b, []byte("\r\n"))
	code, found := strings.CutPrefix(string(line), "SIP/2.0 ")
	if !found || len(code) < 3 {
		return "", 0, false
	}
	status, err := strconv.Atoi(code[:3])
	if err != nil || status < 200 {
		return "", 0, false
	}
	for field := range strings.SplitSeq(string(rest), "\r\n") {
		name, value, _ := strings.Cut(field, ":")
		if n := strings.ToLower(strings.TrimSpace(name)); n != "via" && n != "v" {
			continue
		}
		_, after, found := strings.Cut(value, "branch=")
		branch, _, _ = strings.Cut(after, ";")
		return strings.TrimSpace(branch), status, found
	}
	return "", 0, false
}
