package wire

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// message writes lines with CRLF, as on the wire, and the empty line.
func message(lines ...string) []byte {
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// register is a REGISTER in which one header may be replaced ("" removes it) or,
// with a new name, added.
func register(changes ...string) []byte {
	headers := []string{
		"Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport", "Max-Forwards: 70",
		"From: <sip:101@pbx.dev>;tag=a", "To: <sip:101@pbx.dev>", "Call-ID: c1@192.0.2.1",
		"CSeq: 7 REGISTER", "Contact: <sip:101@192.0.2.1:5070>", "Content-Length: 0",
	}
	for _, c := range changes {
		name, value, _ := strings.Cut(c, ": ")
		i := slices.IndexFunc(headers, func(h string) bool { return strings.HasPrefix(h, name+":") })
		switch {
		case i < 0:
			headers = append(headers, c)
		case value == "":
			headers = slices.Delete(headers, i, i+1)
		default:
			headers[i] = c
		}
	}
	return message(append([]string{"REGISTER sip:pbx.dev SIP/2.0"}, headers...)...)
}

func parse(t testing.TB, b []byte) *Message {
	t.Helper()
	m := new(Message)
	if err := m.Parse(b); err != nil {
		t.Fatalf("parse %q: %v", b, err)
	}
	return m
}

func TestParse(t *testing.T) {
	t.Parallel()
	// RFC 4475 section 3.1.1.1: odd but right.
	m := parse(t, message("REGISTER sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0",
		"TO :", " sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n",
		`from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>`, "  ;", "  tag = 98asjd8",
		"MaX-fOrWaRdS: 0068", "i: wsinv.ndaksdj@192.0.2.1", "Content-Length   : 0",
		"cseq: 0009", "  REGISTER",
		"Via  : SIP  /   2.0", " /UDP", "    192.0.2.2;branch=390skdjuw", "s :",
		"NewFangledHeader:   newfangled value", " continued newfangled value",
		"k: path , outbound", "Supported: gruu",
		"v:  SIP  / 2.0  / TCP     spindle.example.com   ;", "  branch  =   z9hG4bK9ikj8  ,",
		" SIP  /    2.0   / UDP  192.168.255.111   ; branch=", " z9hG4bK30239",
		`m:"Quoted string, \"\"" <sip:jdrosen@example.com> ; newparam =`, "      newvalue ;", "  secondparam ; q = 0.33, <sip:b@example.com>",
	))
	if f := m.Check(); f != (Fault{}) {
		t.Fatalf("fault %+v", f)
	}
	to, _ := ParseNameAddr(m.Get(To))
	tag, _ := Param(to.Params, "TAG")
	from, _ := ParseNameAddr(m.Get(From))
	n, method, _ := m.CSeq()
	got := []any{m.Method(), m.URI(), to.URI, tag, Unquote(from.Display), n, method, m.Get(MaxForwards)}
	want := []any{
		"REGISTER", "sip:vivekg@chair-dnrc.example.com;unknownparam", "sip:vivekg@chair-dnrc.example.com",
		"1918181833n", `J Rosenberg \"`, uint32(9), "REGISTER", "0068",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if vias := slices.Collect(m.List(Via)); len(vias) != 3 {
		t.Errorf("%d hops in %q, want 3", len(vias), vias)
	}
	if d := cmp.Diff([]string{"path", "outbound", "gruu"}, slices.Collect(m.List(Supported))); d != "" {
		t.Error(d)
	}
	contacts := slices.Collect(m.List(Contact))
	if len(contacts) != 2 {
		t.Fatalf("contacts %q, want 2", contacts)
	}
	c, ok := ParseNameAddr(contacts[0])
	q, _ := Param(c.Params, "q")
	if !ok || c.URI != "sip:jdrosen@example.com" || q != "0.33" {
		t.Errorf("contact %+v with q %q", c, q)
	}
}

func TestParseLeavesOtherMessagesUntouched(t *testing.T) {
	t.Parallel()
	in := register()
	if m := parse(t, slices.Clone(in)); !slices.Equal(m.Bytes(), in) {
		t.Errorf("message became %q", m.Bytes())
	}
	m := parse(t, append(register("Content-Length: 2"), "abREGISTER"...))
	if !strings.HasSuffix(string(m.Bytes()), "\r\n\r\nab") {
		t.Errorf("bytes %q, want the body only", m.Bytes())
	}
	folded := parse(t, register("Subject: a\r\n b"))
	if f := folded.Check(); f != (Fault{}) || strings.Contains(string(folded.Bytes()), "\r\n b") {
		t.Errorf("folding remains in %q (fault %+v)", folded.Bytes(), f)
	}
	moved := folded.Move(nil)
	clear(folded.buf[:0])
	if folded.Get(CallID) != "c1@192.0.2.1" || len(moved) != len(folded.Bytes()) {
		t.Error("a moved message reads differently")
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	first := func(line string) []byte {
		return []byte(strings.Replace(string(register()), "REGISTER sip:pbx.dev SIP/2.0", line, 1))
	}
	cases := map[string]struct {
		in   []byte
		want Fault
	}{
		"good":                 {register(), Fault{}},
		"no Max-Forwards":      {register("Max-Forwards: "), Fault{}},
		"version 7":            {first("REGISTER sip:pbx.dev SIP/7.0"), Fault{505, "Version Not Supported"}},
		"version text":         {first("REGISTER sip:pbx.dev SIP/2.0  "), Fault{400, "Bad Start Line"}},
		"space in uri":         {first("REGISTER sip:pbx.dev; lr SIP/2.0"), Fault{400, "Bad Request-URI"}},
		"two spaces":           {first("REGISTER  sip:pbx.dev SIP/2.0"), Fault{400, "Bad Request-URI"}},
		"brackets":             {first("REGISTER <sip:pbx.dev> SIP/2.0"), Fault{400, "Bad Request-URI"}},
		"no uri":               {first("REGISTER SIP/2.0"), Fault{400, "Bad Request-URI"}},
		"no Via":               {register("Via: "), Fault{400, "Missing Via Header"}},
		"no From":              {register("From: "), Fault{400, "Missing From Header"}},
		"no To":                {register("To: "), Fault{400, "Missing To Header"}},
		"no Call-ID":           {register("Call-ID: "), Fault{400, "Missing Call-ID Header"}},
		"no CSeq":              {register("CSeq: "), Fault{400, "Missing CSeq Header"}},
		"two Call-IDs":         {register("i: other"), Fault{400, "Duplicate Call-ID Header"}},
		"two lengths":          {register("l: 0"), Fault{400, "Duplicate Content-Length Header"}},
		"method differs":       {register("CSeq: 7 INVITE"), Fault{400, "CSeq Method Does Not Match"}},
		"method in other case": {register("CSeq: 7 register"), Fault{400, "CSeq Method Does Not Match"}},
		"huge CSeq":            {register("CSeq: 36893488147419103232 REGISTER"), Fault{400, "Bad CSeq Header"}},
		"CSeq 2^31":            {register("CSeq: 2147483648 REGISTER"), Fault{400, "Bad CSeq Header"}},
		"negative CSeq":        {register("CSeq: -1 REGISTER"), Fault{400, "Bad CSeq Header"}},
		"long body":            {register("Content-Length: 9999"), Fault{400, "Bad Content-Length Header"}},
		"negative length":      {register("Content-Length: -999"), Fault{400, "Bad Content-Length Header"}},
		"huge length":          {register("Content-Length: 4294967296"), Fault{400, "Bad Content-Length Header"}},
		"Max-Forwards 300":     {register("Max-Forwards: 300"), Fault{400, "Bad Max-Forwards Header"}},
		"open quote in To":     {register(`To: "Mr. J. User <sip:j.user@example.com>`), Fault{400, "Bad To Header"}},
		"open quote in a tag":  {register(`From: <sip:101@pbx.dev>;tag="a`), Fault{400, "Bad From Header"}},
		"open bracket in From": {register(`From: <sip:101@pbx.dev;tag=a`), Fault{400, "Bad From Header"}},
		"comma in display":     {register(`From: Bell, Alexander <sip:a@b>;tag=43`), Fault{400, "Bad From Header"}},
		"space in Call-ID":     {register("Call-ID: a b"), Fault{400, "Bad Call-ID Header"}},
		"bad Via":              {register("Via: SIP/2.0/UDP 192.0.2.1;;,;,,"), Fault{400, "Bad Via Header"}},
		"Via without host":     {register("Via: SIP/2.0/UDP"), Fault{400, "Bad Via Header"}},
		"header without colon": {register("Via: SIP/2.0/UDP a;branch=1\r\nnonsense"), Fault{400, "Bad Header Line"}},
		"bad header name":      {register("X<>: 1"), Fault{400, "Bad Header Name"}},
		"control byte":         {register("Subject: a\x00b"), Fault{400, "Control Byte In Header"}},
		"bare line feed":       {register("Subject: a\nContact: <sip:x@y>"), Fault{400, "Bad Line End"}},
		"headers never end":    {[]byte(strings.TrimSuffix(string(register()), "\r\n")), Fault{400, "Incomplete Message"}},
		"too many headers":     {register("X: " + strings.Repeat("1\r\nX: ", 300) + "1"), Fault{400, "Bad Header Line"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(c.want, parse(t, c.in).Check()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseRefusesWhatIsNotSIP(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "\r\n", "\r\n\r\n", "jaK", "\x00\x00\x00\x00", "GET / HTTP/1.1\r\n\r\n", "REGISTER sip:a SIP/2.0",
		"SIP/2.0 9x0 no\r\n\r\n", "SIP/2.0 4294967301 better not break\r\n\r\n", "SIP/2.0\r\n\r\n", " SIP/2.0\r\n\r\n", "a(b sip:x SIP/2.0\r\n\r\n",
	} {
		if err := new(Message).Parse([]byte(in)); err == nil {
			t.Errorf("%q was taken for SIP", in)
		}
	}
	if m := parse(t, []byte("SIP/2.0 100 \r\n\r\n")); m.IsRequest() || m.Status() != 100 {
		t.Errorf("status %d", m.Status())
	}
}

func TestReply(t *testing.T) {
	t.Parallel()
	src := netip.MustParseAddrPort("203.0.113.9:40001")
	cases := map[string]struct{ via, want string }{
		"rport":            {"SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bK1", "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport=40001;received=203.0.113.9"},
		"rport, same host": {"SIP/2.0/UDP 203.0.113.9:5070;branch=1;RPORT", "SIP/2.0/UDP 203.0.113.9:5070;branch=1;rport=40001;received=203.0.113.9"},
		"forged":           {"SIP/2.0/UDP x;received=1.2.3.4;rport=9;branch=1", "SIP/2.0/UDP x;branch=1;rport=40001;received=203.0.113.9"},
		"name":             {"SIP/2.0/UDP phone.invalid;branch=1", "SIP/2.0/UDP phone.invalid;branch=1;received=203.0.113.9"},
		"same host":        {"SIP/2.0/UDP 203.0.113.9;branch=1;keep", "SIP/2.0/UDP 203.0.113.9;branch=1;keep"},
		"list":             {"SIP/2.0/UDP a;branch=1, SIP/2.0/TCP b;branch=2", "SIP/2.0/UDP a;branch=1;received=203.0.113.9, SIP/2.0/TCP b;branch=2"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := parse(t, register("Via: "+c.via))
			want := string(message("SIP/2.0 200 OK", "Via: "+c.want, "From: <sip:101@pbx.dev>;tag=a", "To: <sip:101@pbx.dev>;tag=xyz",
				"Call-ID: c1@192.0.2.1", "CSeq: 7 REGISTER", "Content-Length: 0"))
			got := string(AppendEnd(m.AppendReply(nil, 200, "OK", "xyz", src)))
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
	m := parse(t, register("To: <sip:101@pbx.dev>;tag=mine"))
	if got := string(m.AppendReply(nil, 200, "OK", "xyz", src)); !strings.Contains(got, "To: <sip:101@pbx.dev>;tag=mine\r\n") {
		t.Errorf("tag of the request changed in %q", got)
	}
}

func TestTidy(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport":          "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport",
		"SIP  /   2.0\r\n /UDP\r\n\t    192.0.2.2;branch=390skdjuw": "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw",
		"SIP / 2.0 / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239": "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8,SIP/2.0/UDP 192.168.255.111;branch=z9hG4bK30239",
		`SIP/2.0/UDP a : 5060 ; x = " ; \" , " ;branch=1`: `SIP/2.0/UDP a:5060;x=" ; \" , ";branch=1`,
		`SIP/2.0/UDP a;x="open \`:                         `SIP/2.0/UDP a;x="open \`,
		"":                                                "",
	} {
		m := parse(t, register("Via: "+in, "Subject: a  b", "CSeq: 7 \t  REGISTER",
			"From: A /  B \"c  ; d\"  <sip:x@y> ;  tag =  a"))
		m.Tidy()
		if got := m.Get(CSeq) + m.Get(From); got != `7 REGISTERA / B "c  ; d" <sip:x@y>;tag=a` {
			t.Errorf("CSeq and From became %q", got)
		}
		if got := m.Get(Via); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
		if again := parse(t, m.Bytes()); again.Get(Via) != want || again.Get(CallID) != m.Get(CallID) {
			t.Errorf("%q: the message is read as %q afterwards", in, m.Bytes())
		}
	}
}

func TestReplyTo(t *testing.T) {
	t.Parallel()
	src := netip.MustParseAddrPort("203.0.113.9:40001")
	for via, want := range map[string]string{
		"SIP/2.0/UDP 10.0.0.1:5070;rport": "203.0.113.9:40001",
		"SIP/2.0/UDP 10.0.0.1:5070":       "203.0.113.9:5070",
		"SIP/2.0/UDP phone.invalid":       "203.0.113.9:5060",
		"SIP/2.0/UDP [2001:db8::1]:5080":  "203.0.113.9:5080",
	} {
		v, ok := ParseVia(via)
		if got := v.ReplyTo(src).String(); !ok || got != want {
			t.Errorf("%s: reply to %s, want %s", via, got, want)
		}
	}
}

// tidied checks that Tidy changes nothing of what a message says.
func tidied(t *testing.T, m *Message, fault Fault) {
	t.Helper()
	what := func() string {
		s := m.Get(CallID)
		for v := range m.List(Via) {
			p, ok := ParseVia(v)
			branch, _ := Param(p.Params, "branch")
			s += fmt.Sprintf(" %v %s %s %d %q", ok, p.Transport, p.Host, p.Port, branch)
		}
		n, method, ok := m.CSeq()
		from, _ := ParseNameAddr(m.Get(From))
		tag, _ := Param(from.Params, "tag")
		s += fmt.Sprint(n, method, ok, from.URI, tag, m.HeadLen(), len(m.Bytes()))
		return strings.Join(strings.Fields(s), "") // white space within a value is none that is allowed
	}
	before := what()
	m.Tidy()
	if after := what(); fault.Code == 0 && after != before {
		t.Errorf("tidied it says %s, before %s", after, before)
	}
	if again := new(Message); fault.Code == 0 && (again.Parse(slices.Clone(m.Bytes())) != nil || again.Check().Code != 0) {
		t.Errorf("tidied it is malformed: %q", m.Bytes())
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(register())
	f.Add(register(`From: "a \"; b" <sip:x@y> ; tag = 1 ; x = " ; "`, "Via: SIP / 2.0 / UDP a : 5060 ; branch = z ; y=\"a  b\", SIP/2.0/TCP b", "CSeq: 7    REGISTER"))
	f.Add(message("SIP/2.0 200 OK", "v: SIP/2.0/UDP a", "Contact: *", " x"))
	src := netip.MustParseAddrPort("[2001:db8::1]:5060")
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Message
		if m.Parse(slices.Clone(b)) != nil {
			return
		}
		fault := m.Check()
		reply := AppendEnd(m.AppendReply(nil, 400, "Bad", "tag", src))
		if via, ok := m.TopVia(); ok {
			via.ReplyTo(src)
		}
		var r Message
		if err := r.Parse(slices.Clone(reply)); err != nil {
			t.Fatalf("the reply %q is no SIP: %v", reply, err)
		}
		if fault.Code == 0 && m.IsRequest() {
			if f := r.Check(); f.Code != 0 {
				t.Errorf("reply %q to a good request: %+v", reply, f)
			}
		}
		tidied(t, &m, fault)
		for c := range m.List(Contact) {
			if a, ok := ParseNameAddr(c); ok {
				ParseURI(a.URI)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	in := register("Authorization: Digest username=\"101\", realm=\"pbx.dev\"", "User-Agent: Yealink SIP-T46S 66.86.0.15", "Allow: INVITE, ACK, CANCEL, BYE", "Expires: 3600")
	var m Message
	src := netip.MustParseAddrPort("192.0.2.1:5070")
	var buf [1024]byte
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = m.Parse(in)
		}
	})
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Check()
		}
	})
	b.Run("reply", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.AppendReply(buf[:0], 200, "OK", "x", src)
		}
	})
}
