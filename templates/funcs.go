package templates

import (
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	"pbx.dev/dialtone/internal/phone"
)

// vendorFunctions know the numbers of Grandstream's parameters and what a list of
// lines leaves free.
func vendorFunctions() map[string]builder {
	return map[string]builder{
		"unused":  unusedOf,
		"account": accountOf,
		"p":       paramOf,
		"gsKeys":  keysOf(grandstreamKeys),
		"codecs":  codecsOf,
	}
}

// unusedOf returns the numbers 1..n that no line has, so that a file can switch off
// the accounts that an earlier one switched on.
func unusedOf(at position, args []expr) (expr, error) {
	if len(args) != 2 || args[0].t != reflect.TypeFor[[]Line]() || args[1].t != intType {
		return expr{}, at.errorf("unused wants lines and a number")
	}
	lines, n := args[0].ptr, args[1].num
	return expr{t: reflect.TypeFor[[]int](), ptr: func(f *frame) unsafe.Pointer {
		free := unused(*(*[]Line)(lines(f)), n(f))
		if free == nil {
			return nil
		}
		f.grow(8 * len(*free))
		return unsafe.Pointer(free)
	}}, nil
}

func unused(lines []Line, n int) *[]int {
	var used [maxUnused + 1]bool
	for _, l := range lines {
		if l.Number <= maxUnused {
			used[l.Number] = true
		}
	}
	var out *[]int // nothing is allocated for a phone whose accounts are all in use
	for i := 1; i <= min(n, maxUnused); i++ {
		if !used[i] {
			if out == nil {
				out = new([]int)
			}
			*out = append(*out, i)
		}
	}
	return out
}

const maxUnused = 64

// Account is the P-values of one Grandstream account
// (phone-facts/params/grandstream_pvalues.csv; the others from grandstream_pvalues_all.csv).
type Account struct {
	Active, Server, Proxy, User, Auth, Password, Display, Label string
	Transport, Register, Expires, Unregister                    string
	Instance, SRTP, Voicemail, MWI, Ring, NoAnswer              string
	Inband, RFC2833, Info                                       string // DTMF
	DTMF                                                        string // instead of those three: the method that is preferred
	Codecs                                                      [7]string
}

// accounts are the six accounts whose P-values the facts name. A phone with more
// (GXV33xx) has the others in numbers that are not in any list we have.
var accounts = func() (out [6]Account) {
	name := func(n int) string { return "P" + strconv.Itoa(n) }
	out[0] = Account{
		Active: "P271", Server: "P47", Proxy: "P48", User: "P35", Auth: "P36", Password: "P34", Display: "P3", Label: "P270",
		Transport: "P130", Register: "P31", Expires: "P32", Unregister: "P81", Instance: "P288", SRTP: "P183", Voicemail: "P33",
		MWI: "P99", Ring: "P104", NoAnswer: "P139", Codecs: [7]string{"P57", "P58", "P59", "P60", "P61", "P62", "P46"},
	}
	for i, base := range []int{400, 500, 600, 1700, 1800} {
		a := &out[i+1]
		*a = Account{
			Active: name(base + 1), Server: name(base + 2), Proxy: name(base + 3), User: name(base + 4), Auth: name(base + 5),
			Password: name(base + 6), Display: name(base + 7), Label: name(base + 17), Transport: name(base + 48),
			Register: name(base + 10), Expires: name(base + 12), Unregister: name(base + 11), Instance: name(base + 89),
			SRTP: name(base + 43), Voicemail: name(base + 26), MWI: name(base + 15), Ring: name(base + 23), NoAnswer: name(base + 70),
		}
		for c := range a.Codecs {
			a.Codecs[c] = name(base + 51 + c)
		}
	}
	for i := range out {
		base := 2300 + 100*i
		out[i].Inband, out[i].RFC2833, out[i].Info = name(base+1), name(base+2), name(base+3)
	}
	return out
}()

// ataAccounts are those of analogue adapters with one or two ports (HT502 to HT802),
// which have numbers of their own for the second: P7xx, labelled "FXS PORT 2" and
// "Profile 2" in the sources of grandstream_pvalues_all.csv. They have no labels and
// no ring tone of an account.
var ataAccounts = func() [2]Account {
	one, two := accounts[0], accounts[1]
	for _, a := range []*Account{&one, &two} {
		a.Label, a.Ring, a.Inband, a.RFC2833, a.Info, a.Voicemail = "", "", "", "", "", ""
	}
	one.DTMF, two.DTMF = "P850", "P860"
	two.Server, two.Proxy, two.User, two.Auth, two.Password, two.Display = "P747", "P748", "P735", "P736", "P734", "P703"
	two.Transport, two.Register, two.Expires, two.Unregister, two.MWI = "P830", "P731", "P732", "P752", "P709"
	two.Codecs = [7]string{"P757", "P758", "P759", "P760", "P761", "P762"}
	return [2]Account{one, two}
}()

// twoPorts are the adapters whose two ports are ataAccounts.
var twoPorts = map[string]bool{"HT502": true, "HT503": true, "HT702": true, "HT801": true, "HT801V2": true, "HT802": true, "HT802V2": true}

// accountOfModel returns the P-values of account n of a model as the inventory
// spells it, or nil.
func accountOfModel(model string, n int) *Account {
	switch {
	case n < 1 || n > len(accounts):
		return nil
	case n <= len(ataAccounts) && len(model) > 2 && model[0]|0x20 == 'h' && twoPorts[strings.ToUpper(strings.ReplaceAll(model, "-", ""))]:
		return &ataAccounts[n-1]
	}
	return &accounts[n-1]
}

// MaxGrandstreamAccounts is how many accounts of a Grandstream phone can be written.
const MaxGrandstreamAccounts = len(accounts)

// accountOf returns the P-values of account n, or nothing.
func accountOf(at position, args []expr) (expr, error) {
	if len(args) != 1 || args[0].t != intType {
		return expr{}, at.errorf("account wants a number")
	}
	num := args[0].num
	return expr{t: reflect.TypeFor[*Account](), ptr: func(f *frame) unsafe.Pointer {
		return unsafe.Pointer(accountOfModel(f.view.Model, num(f)))
	}}, nil
}

// Param is one parameter that template "P" writes.
type Param struct {
	Name  string
	Value string
	Skip  bool // a raw setting of the phone takes its place
}

const paramSize = int(unsafe.Sizeof(Param{}))

// paramOf pairs a parameter with its value for the template "P", which leaves it out
// when the phone has a raw setting of that name: what a Grandstream phone does with
// a P-value that stands twice in a file is not verified. One without a name is
// nothing the model has.
func paramOf(at position, args []expr) (expr, error) {
	if len(args) != 2 || args[0].t != stringType {
		return expr{}, at.errorf("p wants a name and a value")
	}
	text, err := textOf(at, args[1])
	if err != nil {
		return expr{}, err
	}
	name := args[0].str
	return expr{t: reflect.TypeFor[Param](), ptr: func(f *frame) unsafe.Pointer {
		p := Param{Name: name(f), Value: text(f)}
		_, p.Skip = f.view.Raw[p.Name]
		p.Skip = p.Skip || p.Name == ""
		f.grow(paramSize)
		return unsafe.Pointer(&p)
	}}, nil
}

// keysOf is a function of the whole view that gives parameters.
func keysOf(fn func(*View) []Param) builder {
	return func(at position, args []expr) (expr, error) {
		if len(args) != 0 {
			return expr{}, at.errorf("wants nothing")
		}
		return expr{t: reflect.TypeFor[[]Param](), settings: []string{"keys.#.type"}, ptr: func(f *frame) unsafe.Pointer {
			all := fn(f.view)
			f.grow(paramSize * len(all))
			return unsafe.Pointer(&all)
		}}, nil
	}
}

// codecsOf gives the choices of a Grandstream account: the codecs of a line by their
// numbers, the first one again where there are fewer than choices.
func codecsOf(at position, args []expr) (expr, error) {
	if len(args) != 2 || elem(args[0].t) != reflect.TypeFor[Account]() || args[1].t != reflect.TypeFor[[]Codec]() {
		return expr{}, at.errorf("codecs wants an account and codecs")
	}
	account, list := args[0].ptr, args[1].ptr
	return expr{t: reflect.TypeFor[[]Param](), ptr: func(f *frame) unsafe.Pointer {
		all := grandstreamCodecs(f.view, (*Account)(account(f)), *(*[]Codec)(list(f)))
		f.grow(paramSize * len(all))
		return unsafe.Pointer(&all)
	}}, nil
}

var codecNumbers = map[string]string{"pcmu": "0", "pcma": "8", "g722": "9", "g729": "18", "ilbc": "98", "g726": "2", "g723": "4", "opus": "123"}

func grandstreamCodecs(v *View, a *Account, all []Codec) []Param {
	var chosen []string
	for _, c := range all {
		if n, ok := codecNumbers[c.Name]; ok && c.Enabled == "1" {
			chosen = append(chosen, n)
		}
	}
	if a == nil || len(chosen) == 0 {
		return nil
	}
	out := make([]Param, len(a.Codecs))
	for i, name := range a.Codecs {
		out[i] = Param{Name: name, Value: chosen[0]}
		if i < len(chosen) {
			out[i].Value = chosen[i]
		}
		_, out[i].Skip = v.Raw[name]
		out[i].Skip = out[i].Skip || name == ""
	}
	return out
}

// grandstreamKeys are the keys of the phone and of its expansion modules as
// P-values. Which series a model has: phone-facts/params/grandstream_pvalues.csv,
// group keys; what the modes mean is not verified there.
func grandstreamKeys(v *View) []Param {
	var out []Param
	write := func(mode, account, name, value string, k Key, modes map[string]string) {
		m, ok := modes[k.Type]
		if !ok {
			return
		}
		for _, p := range []Param{{Name: mode, Value: m}, {Name: account, Value: strconv.Itoa(k.Line - 1)}, {Name: name, Value: k.Label}, {Name: value, Value: k.Value}} {
			if _, p.Skip = v.Raw[p.Name]; !p.Skip {
				out = append(out, p)
			}
		}
	}
	for _, k := range v.Keys {
		if n, ok := grandstreamKey(v.Model, k.Number); ok {
			write(n.mode, n.account, n.name, n.value, k, n.modes)
		}
	}
	for _, k := range v.ModuleKeys {
		if i, ok := moduleKey(k.Module, k.Number); ok {
			name := func(base int) string { return "P" + strconv.Itoa(base+i) }
			write(name(6000), name(6200), name(6400), name(6600), k, mpkModes)
		}
	}
	return out
}

// moduleKey is the number of a key among those of all expansion modules.
func moduleKey(module, n int) (int, bool) {
	i := (module-1)*40 + n
	return i, n <= 40 && i <= 160
}

// HasKey reports whether the files of a model can say that key n, of an expansion
// module or (module 0) of the phone itself, is of type kind.
func HasKey(v phone.Vendor, model string, module, n int, kind string) bool {
	if v != phone.Grandstream {
		return true
	}
	modes := mpkModes
	if module > 0 {
		if _, ok := moduleKey(module, n); !ok {
			return false
		}
	} else {
		names, ok := grandstreamKey(model, n)
		if !ok {
			return false
		}
		modes = names.modes
	}
	_, ok := modes[kind]
	return ok
}

// The modes of keys: multi-purpose keys and line keys have numbers of their own.
var (
	mpkModes  = map[string]string{"speeddial": "0", "blf": "1", "dtmf": "5", "park": "9"}
	lineModes = map[string]string{"line": "0", "speeddial": "10", "blf": "11"}
)

type keyNames struct {
	mode, account, name, value string
	modes                      map[string]string
}

// grandstreamKey names the P-values of key n of a model.
func grandstreamKey(model string, n int) (keyNames, bool) {
	p := func(i int) string { return "P" + strconv.Itoa(i) }
	m := strings.ToUpper(model)
	switch {
	case newKeys[strings.TrimSpace(m)]: // the newer GXP21xx: five numbers a key
		base := 23000 + 5*(n-1)
		return keyNames{p(base), p(base + 1), p(base + 2), p(base + 3), mpkModes}, n <= 100
	case strings.HasPrefix(m, "GXP20") || strings.HasPrefix(m, "GXP21") || strings.HasPrefix(m, "GXV"):
		if n <= 7 {
			return keyNames{p(322 + n), p(298 + 3*n), p(299 + 3*n), p(300 + 3*n), mpkModes}, true
		}
		base := 353 + 4*(n-8)
		return keyNames{p(base), p(base + 1), p(base + 2), p(base + 3), mpkModes}, n <= 18
	}
	return keyNames{p(1361 + 2*n), p(1362 + 2*n), p(1463 + 2*n), p(1464 + 2*n), lineModes}, n <= 6
}

var newKeys = map[string]bool{"GXP2130": true, "GXP2135": true, "GXP2140": true, "GXP2160": true, "GXP2170": true}
