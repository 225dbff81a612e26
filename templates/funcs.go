package templates

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"text/template"
)

// funcs are the pure functions of the templates, beside the escapers.
func funcs() template.FuncMap {
	m := template.FuncMap{
		"choose":   choose,
		"hostport": hostport,
		"minutes":  func(seconds int) int { return max(1, seconds/60) },
		"lower":    strings.ToLower,
		"scheme":   func(url string) string { s, _ := splitURL(url); return s },
		"unscheme": func(url string) string { _, rest := splitURL(url); return rest },
		"unused":   unused,
		"account":  grandstreamAccount,
		"p":        p,
	}
	for name, f := range escapers() {
		m[name] = f
	}
	return m
}

// choose returns the result beside the case that is key:
// {{choose .Server.Transport "udp" "0" "tcp" "1"}}. No case is an error.
func choose(key string, pairs ...string) (string, error) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == key {
			return pairs[i+1], nil
		}
	}
	return "", fmt.Errorf("choose: no case for %.40q", key)
}

// hostport joins a host and a port; port 0 is left out.
func hostport(host string, port int) string {
	if port == 0 {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func splitURL(url string) (scheme, rest string) {
	if s, r, ok := strings.Cut(url, "://"); ok {
		return strings.ToLower(s), r
	}
	return "", url
}

// unused returns the numbers 1..n that no line has, so that a file can switch off
// the accounts that an earlier one switched on.
func unused(lines []Line, n int) []int {
	used := map[int]bool{}
	for _, l := range lines {
		used[l.Number] = true
	}
	var out []int
	for i := 1; i <= n; i++ {
		if !used[i] {
			out = append(out, i)
		}
	}
	return out
}

// Account is the P-values of one Grandstream account
// (phone-facts/params/grandstream_pvalues.csv; Unregister from grandstream_pvalues_all.csv).
type Account struct {
	Active, Server, Proxy, User, Auth, Password, Display, Label string
	Transport, Register, Expires, Unregister                    string
}

// grandstreamAccount returns the P-values of account n, or nil: they are known for
// the accounts 1 to 6 only.
func grandstreamAccount(n int) *Account {
	base := map[int]int{2: 400, 3: 500, 4: 600, 5: 1700, 6: 1800}[n]
	switch {
	case n == 1:
		return &Account{
			Active: "P271", Server: "P47", Proxy: "P48", User: "P35", Auth: "P36", Password: "P34", Display: "P3",
			Label: "P270", Transport: "P130", Register: "P31", Expires: "P32", Unregister: "P81",
		}
	case base == 0:
		return nil
	}
	name := func(offset int) string { return "P" + strconv.Itoa(base+offset) }
	return &Account{
		Active: name(1), Server: name(2), Proxy: name(3), User: name(4), Auth: name(5), Password: name(6), Display: name(7),
		Label: name(17), Transport: name(48), Register: name(10), Expires: name(12), Unregister: name(11),
	}
}

// Param is one parameter that template "P" writes.
type Param struct {
	Name  string
	Value any
	Skip  bool // a raw setting of the phone takes its place
}

// p pairs a parameter with its value for the template "P", which leaves it out when
// the phone has a raw setting of that name: what a Grandstream phone does with a
// P-value that stands twice in a file is not verified.
func p(v *View, name string, value any) Param {
	_, skip := v.Raw[name]
	return Param{Name: name, Value: value, Skip: skip}
}
