package httpd

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/provision"
)

// Scheme is how phones are asked who they are.
type Scheme string

// The schemes.
const (
	AuthOff    Scheme = "off"
	AuthBasic  Scheme = "basic"  // RFC 7617; only where nobody listens, or over TLS
	AuthDigest Scheme = "digest" // RFC 7616
)

// realm is what a phone with a screen shows beside the question.
const realm = "dialtone"

// Auth are the options of phones' credentials.
type Auth struct {
	Scheme Scheme // empty: AuthOff
	// Credentials gives user and password of the phone with this MAC address, whether
	// there is such a phone or not. The user is the address itself.
	Credentials func(phone.MAC) (user string, password phone.Secret)
	Key         []byte // of nonces, 32 bytes; the same on all nodes
	// Denied takes the event of a request with credentials that are not right; nil:
	// nobody listens. It must not block.
	Denied func(phone.Event)
	Now    func() time.Time // nil: time.Now
}

// guard asks phones who they are. A request for a file of a phone without the right
// credentials gets the same challenge, whether there is such a phone or not.
type guard struct {
	auth    Auth
	nonces  *nonces
	results *prometheus.CounterVec
}

// The outcomes of credentials.
var (
	errWrong  = errors.New("the HTTP credentials are wrong")
	errOther  = errors.New("the HTTP credentials are for another path")
	errReplay = errors.New("the HTTP credentials were used before")
	errStale  = errors.New("the nonce is old") // all else is right
)

func newGuard(a Auth) *guard {
	if a.Now == nil {
		a.Now = time.Now
	}
	return &guard{auth: a, nonces: newNonces(a.Key), results: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_phone_http_credentials_total", Help: "Requests for phones' own files where phones are asked who they are, by result.",
	}, []string{"result"})}
}

// check returns whose credentials r proves. It reports false after it has answered:
// with a challenge, where a phone has to say who it is and does not. Who has a
// certificate or a token in the path is not asked.
func (g *guard) check(w http.ResponseWriter, r *http.Request, certificate phone.MAC) (phone.MAC, bool) {
	if g.auth.Scheme == "" || g.auth.Scheme == AuthOff {
		return phone.MAC{}, true
	}
	t, ok := provision.Parse(r.URL.Path)
	if !ok || t.MAC.IsZero() || t.Token != "" || certificate == t.MAC {
		return phone.MAC{}, true
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		g.results.WithLabelValues("none").Inc()
		g.challenge(w, false)
		return phone.MAC{}, false
	}
	mac, err := g.verify(r, header)
	if err == nil {
		g.results.WithLabelValues("right").Inc()
		return mac, true
	}
	label := "wrong"
	switch {
	case errors.Is(err, errReplay):
		label = "replayed"
	case errors.Is(err, errStale):
		label = "stale"
	}
	g.results.WithLabelValues(label).Inc()
	if label != "stale" && g.auth.Denied != nil {
		g.auth.Denied(phone.Event{
			At: g.auth.Now(), Kind: phone.EventFile, MAC: t.MAC, Proto: proto(r), Path: t.Name, Outcome: "denied",
			Status: http.StatusUnauthorized, Source: r.RemoteAddr, Detail: err.Error(),
		})
	}
	g.challenge(w, label == "stale")
	return phone.MAC{}, false
}

func proto(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// challenge answers 401. MD5 comes first: it is what phones know, and some read the
// first challenge only.
func (g *guard) challenge(w http.ResponseWriter, stale bool) {
	if g.auth.Scheme == AuthBasic {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+realm+`"`)
	} else {
		nonce := g.nonces.mint(g.auth.Now())
		for _, algorithm := range []string{"MD5", "SHA-256"} {
			c := `Digest realm="` + realm + `", qop="auth", algorithm=` + algorithm + `, nonce="` + nonce + `"`
			if stale {
				c += `, stale=true`
			}
			w.Header().Add("WWW-Authenticate", c)
		}
	}
	refuse(w, http.StatusUnauthorized)
}

func (g *guard) verify(r *http.Request, header string) (phone.MAC, error) {
	scheme, rest, _ := strings.Cut(header, " ")
	switch {
	case g.auth.Scheme == AuthBasic && strings.EqualFold(scheme, "Basic"):
		return g.basic(rest)
	case g.auth.Scheme == AuthDigest && strings.EqualFold(scheme, "Digest"):
		return g.digest(r, rest)
	}
	return phone.MAC{}, errWrong
}

// expected is the password of a user. A user that is no phone's name costs the same
// work and has a password that nobody knows.
func (g *guard) expected(user string) (phone.MAC, phone.Secret) {
	mac, err := phone.ParseMAC(user)
	name, password := g.auth.Credentials(mac)
	if err != nil || name != user {
		mac = phone.MAC{}
	}
	return mac, password
}

func (g *guard) basic(encoded string) (phone.MAC, error) {
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return phone.MAC{}, errWrong
	}
	user, password, _ := strings.Cut(string(text), ":")
	mac, want := g.expected(user)
	if subtle.ConstantTimeCompare([]byte(password), []byte(want.Reveal())) != 1 || mac.IsZero() {
		return phone.MAC{}, errWrong
	}
	return mac, nil
}

func (g *guard) digest(r *http.Request, params string) (phone.MAC, error) {
	d, ok := parseDigest(params)
	if !ok {
		return phone.MAC{}, errWrong
	}
	mac, password := g.expected(d.username)
	right := subtle.ConstantTimeCompare([]byte(d.answer(r.Method, password.Reveal())), []byte(d.response)) == 1
	switch {
	case !right || mac.IsZero() || d.realm != realm:
		return phone.MAC{}, errWrong
	case d.uri != r.RequestURI && d.uri != r.URL.RequestURI(): // a captured header opens no other file
		return phone.MAC{}, errOther
	}
	return mac, g.nonces.use(d.nonce, d.nc, g.auth.Now())
}
