package digest_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/digest"
)

const (
	realm = "pbx.dev"
	uri   = "sip:pbx.dev"
)

var key = []byte("0123456789abcdef")

// world is a Verifier with a clock of its own and two users.
type world struct {
	*digest.Verifier
	now    time.Time
	proved []string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.Verifier = w.node(t, w.now)
	return w
}

// node makes another Verifier with the same key, started at the given time.
func (w *world) node(t testing.TB, start time.Time) *digest.Verifier {
	t.Helper()
	started := false
	v, err := digest.New(digest.Options{
		Realm: realm, Key: key, Lookup: lookup, Proved: func(user string) { w.proved = append(w.proved, user) },
		Local: func(host string) bool { return host == "pbx.dev" || host == "192.0.2.5" },
		Now: func() time.Time {
			if !started {
				started = true
				return start
			}
			return w.now
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func lookup(_ context.Context, user string) (phone.Credential, error) {
	switch user {
	case "101", `1"1`, "bob@old.example", "bob@pbx.dev":
		return phone.Credential{User: user, Extension: "101", DeviceID: "phone_1", Secret: phone.NewSecret("s3cret")}, nil
	case "rotating":
		return phone.Credential{User: user, Secret: phone.NewSecret("new"), Old: phone.NewSecret("old")}, nil
	case "empty":
		return phone.Credential{User: user}, nil
	case "broken":
		return phone.Credential{}, errors.New("database is away")
	}
	return phone.Credential{}, phone.ErrNotFound
}

// answer is what a phone puts into Authorization.
type answer struct {
	user, password, realm, nonce, uri, alg, qop, nc, cnonce, method string
}

func (w *world) answer() answer {
	return answer{
		user: "101", password: "s3cret", realm: realm, nonce: w.nonce(), uri: uri,
		alg: "MD5", qop: "auth", nc: "00000001", cnonce: "abc", method: "REGISTER",
	}
}

func (w *world) nonce() string {
	_, rest, _ := strings.Cut(w.Challenges(false, "")[0], `nonce="`)
	nonce, _, _ := strings.Cut(rest, `"`)
	return nonce
}

func sum(alg, text string) string {
	h := md5.New()
	switch alg {
	case "SHA-256":
		h = sha256.New()
	case "SHA-512-256":
		h = sha512.New512_256()
	}
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

func (a answer) header() string {
	ha1 := sum(a.alg, a.user+":"+a.realm+":"+a.password)
	ha2 := sum(a.alg, a.method+":"+a.uri)
	response := sum(a.alg, ha1+":"+a.nonce+":"+a.nc+":"+a.cnonce+":"+a.qop+":"+ha2)
	extra := fmt.Sprintf(`, qop=%s, nc=%s, cnonce="%s"`, a.qop, a.nc, a.cnonce)
	if a.qop == "" {
		response, extra = sum(a.alg, ha1+":"+a.nonce+":"+ha2), ""
	}
	user := strings.ReplaceAll(a.user, `"`, `\"`)
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s%s`,
		user, a.realm, a.nonce, a.uri, response, a.alg, extra)
}

func (w *world) verify(retry string, headers ...string) digest.Outcome {
	return w.Verify(context.Background(), digest.Request{
		Method: "REGISTER", URI: uri, Authorization: headers, RetryKey: retry,
	}).Outcome
}

func TestVerify(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(*answer)
		want   digest.Outcome
	}{
		"md5":                {func(*answer) {}, digest.OK},
		"sha-256":            {func(a *answer) { a.alg = "SHA-256" }, digest.OK},
		"rfc 2069":           {func(a *answer) { a.qop = "" }, digest.OK},
		"user@domain":        {func(a *answer) { a.user = "101@sip.pbx.dev" }, digest.OK},
		"user with @":        {func(a *answer) { a.user = "bob@old.example" }, digest.OK},
		"user with our name": {func(a *answer) { a.user = "bob@pbx.dev" }, digest.OK},
		"user with both":     {func(a *answer) { a.user = "bob@old.example@pbx.dev" }, digest.OK},
		"no user":            {func(a *answer) { a.user = "@pbx.dev" }, digest.Malformed},
		"user before an @":   {func(a *answer) { a.user = "101@" }, digest.OK},
		"escaped quote":      {func(a *answer) { a.user = `1"1` }, digest.OK},
		"uri with transport": {func(a *answer) { a.uri = "sip:PBX.dev:5060;transport=tcp" }, digest.OK},
		"server's address":   {func(a *answer) { a.uri = "sip:192.0.2.5:5060" }, digest.OK},
		"other server":       {func(a *answer) { a.uri = "sip:192.0.2.6" }, digest.Malformed},
		"other uri":          {func(a *answer) { a.uri = "sip:102@pbx.dev" }, digest.Malformed},
		"wrong password":     {func(a *answer) { a.password = "guess" }, digest.Denied},
		"unknown user":       {func(a *answer) { a.user = "999" }, digest.Denied},
		"user no secret":     {func(a *answer) { a.user, a.password = "empty", "" }, digest.Denied},
		"directory away":     {func(a *answer) { a.user = "broken" }, digest.Unavailable},
		"other method":       {func(a *answer) { a.method = "INVITE" }, digest.Denied},
		"foreign realm":      {func(a *answer) { a.realm = "asterisk" }, digest.Missing},
		"unknown algorithm":  {func(a *answer) { a.alg = "SHA-384" }, digest.Missing},
		"not offered":        {func(a *answer) { a.alg = "SHA-512-256" }, digest.Missing},
		"foreign nonce":      {func(a *answer) { a.nonce = "abcdefghabcdefghabcdefghabcdefgh" }, digest.Stale},
		"foreign nonce, bad": {func(a *answer) { a.nonce, a.password = "x", "guess" }, digest.Denied},
		"auth-int":           {func(a *answer) { a.qop = "auth-int" }, digest.Malformed},
		"short nc":           {func(a *answer) { a.nc = "1" }, digest.Malformed},
		"zero nc":            {func(a *answer) { a.nc = "00000000" }, digest.Malformed},
		"empty user":         {func(a *answer) { a.user = "" }, digest.Malformed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.answer()
			c.change(&a)
			if got := w.verify("call-1 1", a.header()); got != c.want {
				t.Errorf("outcome %d, want %d for %s", got, c.want, a.header())
			}
		})
	}
}

func TestPicksOurRealm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign := w.answer()
	foreign.realm = "elsewhere"
	if got := w.verify("k", "Basic QWxhZGRpbg==", "NoOneKnows x=1", foreign.header(), w.answer().header()); got != digest.OK {
		t.Errorf("outcome %d with a foreign realm first, want OK", got)
	}
	if got := w.verify("k", "NoOneKnowsThisScheme opaque-data=here"); got != digest.Missing {
		t.Errorf("outcome %d for an unknown scheme, want Missing", got)
	}
	for _, bad := range []string{`Digest username`, `Digest username="a", username="b"`, `Digest username="unclosed`, `Digest nc="`} {
		if got := w.verify("k", bad); got != digest.Malformed {
			t.Errorf("outcome %d for %s, want Malformed", got, bad)
		}
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.answer()
	w.now = w.now.Add(time.Hour)
	if got := w.verify("k1", a.header()); got != digest.OK {
		t.Errorf("outcome %d at the end of the lifetime, want OK", got)
	}
	a.nc = "00000002"
	w.now = w.now.Add(time.Second)
	if got := w.verify("k2", a.header()); got != digest.Stale {
		t.Errorf("outcome %d after the lifetime, want Stale", got)
	}
	a.password = "guess"
	if got := w.verify("k3", a.header()); got != digest.Denied {
		t.Errorf("outcome %d for a wrong password on an old nonce, want Denied", got)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.answer()
	use := func(nc, cnonce, retry string) digest.Outcome {
		a.nc, a.cnonce = nc, cnonce
		return w.verify(retry, a.header())
	}
	bad := a
	bad.nc, bad.password = "ffffffff", "guess"
	steps := []struct {
		what string
		got  digest.Outcome
		want digest.Outcome
	}{
		{"first", use("00000001", "a", "c 1"), digest.OK},
		{"retransmission", use("00000001", "a", "c 1"), digest.OK},
		{"replay in another request", use("00000001", "a", "c 2"), digest.Stale},
		{"same count, other cnonce", use("00000001", "b", "c 1"), digest.Stale},
		{"count 3", use("00000003", "a", "c 3"), digest.OK},
		{"count 2 late", use("00000002", "a", "c 2"), digest.OK},
		{"count 2 again", use("00000002", "a", "c 4"), digest.Stale},
		{"highest count, wrong password", w.verify("c 5", bad.header()), digest.Denied},
		{"count 4", use("00000004", "a", "c 5"), digest.OK},
		{"far ahead", use("00001000", "a", "c 6"), digest.OK},
		{"behind the window", use("00000005", "a", "c 7"), digest.Stale},
	}
	for _, s := range steps {
		if s.got != s.want {
			t.Errorf("%s: outcome %d, want %d", s.what, s.got, s.want)
		}
	}
}

func TestOldStyleNonceServesOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.answer()
	a.qop = ""
	got := []digest.Outcome{w.verify("c 1", a.header()), w.verify("c 1", a.header()), w.verify("c 2", a.header())}
	if want := []digest.Outcome{digest.OK, digest.OK, digest.Stale}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
}

// TestOtherNodeTakesTheNonce: a nonce is good on every node, and each count of it on
// one only.
func TestOtherNodeTakesTheNonce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other, third := w.node(t, w.now.Add(-time.Minute)), w.node(t, w.now.Add(-time.Minute))
	away := false
	asked := 0
	ask := func(_ context.Context, home digest.Maker, nonce []byte) (uint32, bool) {
		asked++
		for _, v := range []*digest.Verifier{w.Verifier, other, third} {
			if v.Maker() == home && !away {
				return v.GiveUp(nonce)
			}
		}
		return 0, false
	}
	for _, v := range []*digest.Verifier{w.Verifier, other, third} {
		v.SetTakeOver(ask)
	}
	shown := func(v *digest.Verifier, a answer, retry string) digest.Outcome {
		return v.Verify(t.Context(), digest.Request{Method: "REGISTER", URI: uri, Authorization: []string{a.header()}, RetryKey: retry}).Outcome
	}
	a := w.answer()
	want := func(what string, got, want digest.Outcome) {
		t.Helper()
		if got != want {
			t.Errorf("%s: outcome %d, want %d", what, got, want)
		}
	}
	want("first use, at another node", shown(other, a, "1"), digest.OK)
	want("the same at a third", shown(third, a, "2"), digest.Stale)
	want("the same at home", shown(w.Verifier, a, "3"), digest.Stale)
	want("the same again", shown(other, a, "4"), digest.Stale)
	want("an exact repetition", shown(other, a, "1"), digest.OK)
	a.nc = "00000002"
	asked = 0
	want("the next count where it is now", shown(other, a, "5"), digest.OK)
	if asked != 0 {
		t.Errorf("asked %d times for a nonce that is here", asked)
	}
	want("the next count at home", shown(w.Verifier, a, "6"), digest.Stale)

	b := w.answer()
	want("used at home", shown(w.Verifier, b, "1"), digest.OK)
	want("replayed elsewhere", shown(other, b, "2"), digest.Stale)
	b.nc = "00000002"
	want("the next count elsewhere", shown(other, b, "3"), digest.OK)

	away = true
	want("its home is away", shown(other, w.answer(), "1"), digest.Stale)
	away = false
	// What was used before a restart is not known any more.
	restarted := w.node(t, w.now.Add(time.Second))
	want("after a restart", shown(restarted, w.answer(), "1"), digest.Stale)
}

func TestResultNamesTheUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.answer()
	a.password = "guess"
	res := w.Verify(context.Background(), digest.Request{Method: "REGISTER", URI: uri, Authorization: []string{a.header()}})
	if res.User != "101" || res.DeviceID != "phone_1" || res.Credential.User != "" {
		t.Errorf("denied result %+v, want the claimed user and no credential", res)
	}
}

func TestChallenges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.Challenges(true, "")
	if len(got) != 2 || !strings.Contains(got[0], "algorithm=MD5") || !strings.Contains(got[1], "algorithm=SHA-256") {
		t.Fatalf("challenges %q, want MD5 then SHA-256", got)
	}
	for _, c := range got {
		for _, part := range []string{`Digest realm="pbx.dev", nonce="`, `qop="auth"`, `stale=true`} {
			if !strings.Contains(c, part) {
				t.Errorf("challenge %s lacks %s", c, part)
			}
		}
	}
	if a, b := w.nonce(), w.nonce(); a == b {
		t.Errorf("two challenges share the nonce %s", a)
	}
	if lines := string(w.AppendChallenges(nil, "WWW-Authenticate", false, "")); strings.Count(lines, "\r\n") != 2 || strings.Contains(lines, "stale") {
		t.Errorf("header lines %q", lines)
	}
}

func TestNewRefusesUnusableOptions(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]digest.Options{
		"no realm":  {Key: key, Lookup: lookup},
		"short key": {Realm: realm, Key: []byte("short"), Lookup: lookup},
		"no lookup": {Realm: realm, Key: key},
		"lifetime":  {Realm: realm, Key: key, Lookup: lookup, Lifetime: -1},
	} {
		if _, err := digest.New(opts); !errors.Is(err, phone.ErrInvalid) {
			t.Errorf("%s: error %v, want ErrInvalid", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	f.Add(w.answer().header())
	f.Add(`Digest username="a\"b", realm=pbx.dev,,nc=00000001`)
	f.Fuzz(func(t *testing.T, header string) {
		res := w.Verify(context.Background(), digest.Request{Method: "REGISTER", URI: uri, Authorization: []string{header}, RetryKey: "k"})
		if res.Outcome != digest.OK && res.Credential.User != "" {
			t.Errorf("credential %+v without proof", res.Credential)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	a := w.answer()
	var headers []string
	for i := range 60 {
		a.nc = fmt.Sprintf("%08x", i+1)
		headers = append(headers, a.header())
	}
	req := digest.Request{Method: "REGISTER", URI: uri, RetryKey: "k 1"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		req.Authorization = headers[i%len(headers) : i%len(headers)+1]
		w.Verify(context.Background(), req)
	}
}

func BenchmarkChallenge(b *testing.B) {
	w := newWorld(b)
	var buf [512]byte
	b.ReportAllocs()
	for b.Loop() {
		w.AppendChallenges(buf[:0], "WWW-Authenticate", false, "")
	}
}

// During a rotation both secrets are good, and only the new one ends it.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, alg := range []string{"MD5", "SHA-256"} {
		for i, c := range []struct {
			password string
			outcome  digest.Outcome
			old      bool
			proved   int
		}{
			{"old", digest.OK, true, 0}, {"new", digest.OK, false, 1}, {"older", digest.Denied, false, 1}, {"old", digest.OK, true, 1},
		} {
			a := w.answer()
			a.user, a.password, a.alg = "rotating", c.password, alg
			res := w.Verify(t.Context(), digest.Request{Method: "REGISTER", URI: uri, Authorization: []string{a.header()}, RetryKey: fmt.Sprint(alg, i)})
			if res.Outcome != c.outcome || res.Old != c.old || len(w.proved) != c.proved {
				t.Errorf("%s %s: %+v, proved %v", alg, c.password, res, w.proved)
			}
		}
		w.proved = nil
	}
}

// TestAlgorithms: what is offered, in its order, is taken, and nothing else.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	known := []string{"MD5", "SHA-256", "SHA-512-256"}
	for want, names := range map[string][]string{
		"SHA-512-256 SHA-256 MD5": {"sha-512-256", "SHA-256", "MD5"},
		"SHA-512-256":             {"SHA-512-256"},
		"MD5 SHA-256":             nil,
	} {
		w := &world{now: time.Now()}
		var err error
		w.Verifier, err = digest.New(digest.Options{Realm: realm, Key: key, Lookup: lookup, Algorithms: names})
		if err != nil {
			t.Fatal(err)
		}
		var offered []string
		for _, c := range w.Challenges(false, "") {
			_, alg, _ := strings.Cut(c, "algorithm=")
			alg, _, _ = strings.Cut(alg, ",")
			offered = append(offered, alg)
		}
		if got := strings.Join(offered, " "); got != want {
			t.Errorf("%q offers %s, want %s", names, got, want)
		}
		for i, alg := range known {
			a := w.answer()
			a.alg = alg
			outcome := digest.Missing
			if slices.Contains(offered, alg) {
				outcome = digest.OK
			}
			if got := w.verify(fmt.Sprintf("call-%d 1", i), a.header()); got != outcome {
				t.Errorf("%q: outcome %d of %s, want %d", names, got, alg, outcome)
			}
		}
		if got := len(w.Challenges(false, "JsSIP 3")); slices.Contains(offered, "MD5") && got != 1 {
			t.Errorf("%q: %d challenges for a client that knows MD5 alone", names, got)
		}
	}
	for _, names := range [][]string{{"MD4"}, {"MD5", "md5"}, {""}} {
		if _, err := digest.New(digest.Options{Realm: realm, Key: key, Lookup: lookup, Algorithms: names}); !errors.Is(err, phone.ErrInvalid) {
			t.Errorf("%q: %v", names, err)
		}
	}
}
