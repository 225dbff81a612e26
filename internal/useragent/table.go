package useragent

import (
	"regexp"
	"strings"
	"sync"

	"pbx.dev/dialtone/internal/phone"
)

// rule reads one spelling of one vendor. Its expression is anchored and names
// its groups: model, ver and mac go to the fields of the Agent.
type rule struct {
	prefix string // what the text starts with, lower case; "" fits every text
	ctx    Context
	expr   string // without the leading anchor; case does not matter
	agent  Agent  // what every text of this spelling has
	fix    func(*Agent)
}

// compiled is a rule ready for use.
type compiled struct {
	rule
	re *regexp.Regexp
}

// table holds the rules by the first byte of their prefix, so that a text of a
// common vendor meets only the few rules of that vendor.
type table struct {
	byFirst [128][]compiled
	rest    []compiled // rules without a prefix, tried last
}

// both is the context of rules that hold in SIP and HTTP.
const both = SIP | HTTP

// macExpr is a MAC as phones write it: 12 digits, or pairs with ':' or '-'.
const macExpr = `(?P<mac>[0-9a-f]{12}|[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5})`

// rules compiles the table once, when the first User-Agent is read.
var rules = sync.OnceValue(func() *table {
	t := &table{}
	for _, set := range [][]rule{mainRules(), deskRules(), softRules(), fallbackRules()} {
		for _, r := range set {
			t.add(r)
		}
	}
	return t
})

func (t *table) add(r rule) {
	c := compiled{rule: r, re: regexp.MustCompile(`(?is)^(?:` + r.expr + `)`)}
	if r.prefix == "" {
		t.rest = append(t.rest, c)
		return
	}
	t.byFirst[r.prefix[0]] = append(t.byFirst[r.prefix[0]], c)
}

// parse tries the rules in the order of the table; the first that fits wins.
func (t *table) parse(ua string, ctx Context) Agent {
	if c := lower(ua[0]); c < 128 {
		for i := range t.byFirst[c] {
			if a, ok := t.byFirst[c][i].read(ua, ctx); ok {
				return a
			}
		}
	}
	for i := range t.rest {
		if a, ok := t.rest[i].read(ua, ctx); ok {
			return a
		}
	}
	return Agent{}
}

// read applies one rule.
func (c *compiled) read(ua string, ctx Context) (Agent, bool) {
	if c.ctx&ctx == 0 || !hasPrefixFold(ua, c.prefix) {
		return Agent{}, false
	}
	m := c.re.FindStringSubmatchIndex(ua)
	if m == nil {
		return Agent{}, false
	}
	a := c.agent
	for i, name := range c.re.SubexpNames() {
		if name == "" || m[2*i] < 0 {
			continue
		}
		a.set(name, ua[m[2*i]:m[2*i+1]])
	}
	if c.fix != nil {
		c.fix(&a)
	}
	return a, true
}

// set stores one named group. A text that is no MAC leaves the MAC zero.
func (a *Agent) set(name, text string) {
	switch name {
	case "model":
		a.Model = text
	case "ver":
		a.Firmware = text
	case "vendor":
		a.Vendor = text
	case "mac":
		if m, err := phone.ParseMAC(text); err == nil {
			a.MAC = m
		}
	}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
