package settings

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pbx.dev/dialtone/internal/phone"
)

const maxText = 128 // characters of a text

// Parse checks the text of a value and returns its one spelling: "1" and "0" for
// booleans, numbers without zeros in front, choices and lists in lower case. The
// error is a plain sentence.
func (s *Spec) Parse(text string) (string, error) {
	switch s.Type {
	case Number:
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < s.Min || n > s.Max {
			return "", fmt.Errorf("must be a number from %d to %d", s.Min, s.Max)
		}
		return strconv.Itoa(n), nil
	case Bool:
		return parseBool(text)
	case Choice:
		v := strings.ToLower(text)
		if !slices.Contains(s.Choices, v) {
			return "", fmt.Errorf("must be %s", orList(s.Choices))
		}
		return v, nil
	case List:
		return s.parseList(text)
	case Host, Address, Target:
		return s.parsePlace(text)
	case URL:
		return parseURL(text)
	case IPv4:
		if a, err := netip.ParseAddr(text); err != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast() {
			return "", errors.New("must be an IPv4 address such as 192.0.2.50")
		}
		return text, nil
	case Clock:
		if _, err := time.Parse("15:04", text); err != nil {
			return "", fmt.Errorf("must be a time of day such as 03:30")
		}
		return text, nil
	case Secret:
		return parseSecret(text)
	}
	return parseText(text) // a zone is looked up by those who have the zones
}

func parseText(text string) (string, error) {
	switch {
	case utf8.RuneCountInString(text) > maxText:
		return "", fmt.Errorf("has more than %d characters", maxText)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return "", fmt.Errorf("has a control character")
	}
	return text, nil
}

// parseSecret takes any text: what a file cannot carry is found out later.
func parseSecret(text string) (string, error) {
	if utf8.RuneCountInString(text) > maxText {
		return "", fmt.Errorf("has more than %d characters", maxText)
	}
	return text, nil
}

func parseBool(text string) (string, error) {
	switch strings.ToLower(text) {
	case "1", "true", "on", "yes":
		return "1", nil
	case "0", "false", "off", "no":
		return "0", nil
	}
	return "", fmt.Errorf("must be true or false")
}

func (s *Spec) parseList(text string) (string, error) {
	var out []string
	for item := range strings.SplitSeq(strings.ToLower(text), ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		if !slices.Contains(s.Choices, item) {
			return "", fmt.Errorf("%.40q is none of %s", item, strings.Join(s.Choices, ", "))
		}
		if !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	if len(out) == 0 {
		return "", fmt.Errorf("must have at least one of %s", strings.Join(s.Choices, ", "))
	}
	return strings.Join(out, ","), nil
}

func (s *Spec) parsePlace(text string) (string, error) {
	if text == "off" && s.Type != Host {
		return text, nil
	}
	switch s.Type {
	case Target:
		for _, r := range text {
			if r <= ' ' || r > '~' || strings.ContainsRune(`<>"&%`, r) {
				return "", fmt.Errorf("must be a number to dial")
			}
		}
		return parseText(text)
	case Address:
		if _, _, err := SplitAddress(text); err != nil {
			return "", err
		}
		return text, nil
	}
	if !hostChars(text) {
		return "", fmt.Errorf("must be a host name or an address")
	}
	return text, nil
}

// SplitAddress reads "host", "host:port" and "[v6]:port"; port 0: none is given.
// "" and "off" are no host.
func SplitAddress(text string) (host string, port int, err error) {
	if text == "" || text == "off" {
		return "", 0, nil
	}
	host, p, splitErr := net.SplitHostPort(text)
	if splitErr != nil {
		host, p = strings.Trim(text, "[]"), ""
	}
	if p != "" {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return "", 0, fmt.Errorf("must be host or host:port")
		}
	}
	if !hostChars(host) {
		return "", 0, fmt.Errorf("must be host or host:port")
	}
	return host, port, nil
}

func hostChars(text string) bool {
	for _, r := range text {
		if (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_:", r) {
			return false
		}
	}
	return len(text) <= 253
}

func parseURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "tftp", "ftp"}, u.Scheme) || len(text) > 512 ||
		strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return "", fmt.Errorf("must be a URL such as http://host/file")
	}
	return text, nil
}

func orList(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// Field is the error for a setting of a request.
func Field(name string, err error) error { return phone.Invalid("settings."+name, err.Error()) }
