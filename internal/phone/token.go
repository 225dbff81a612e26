package phone

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"
)

// Tokens are the secret paths of a device, /p/{token}/, in two stages: the
// enrollment token is shown once and typed into the phone or printed on a label;
// the files it opens hold the steady token, and the first fetch with that retires
// the enrollment token. The zero value is a device without tokens.
type Tokens struct {
	Steady        Secret // written into the device's files; zero: it has no tokens
	SteadyUsed    time.Time
	EnrollHash    [32]byte // SHA-256 of the enrollment token; zero: none, or retired
	EnrollExpires time.Time
	EnrollUsed    time.Time // first fetch with it; zero: never
}

// TokenStage says which of a device's tokens a text is.
type TokenStage string

// The stages. NoToken is for a text that is none of the device's tokens.
const (
	NoToken     TokenStage = ""
	EnrollToken TokenStage = "enrollment"
	SteadyToken TokenStage = "steady"
)

// TokenLen is the length of a token: base32, 130 random bits.
const TokenLen = 26

// CutToken returns a token as it is stored, in lower case, and whether text has the
// form of one. Nothing is looked up for a text that has not.
func CutToken(text string) (string, bool) {
	if len(text) != TokenLen {
		return "", false
	}
	low := strings.ToLower(text)
	for i := range len(low) {
		if c := low[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return "", false
		}
	}
	return low, true
}

// HashToken is what a token is stored and looked up by.
func HashToken(token string) [32]byte { return sha256.Sum256([]byte(token)) }

// EnrollGrace is how long an enrollment token goes on working after its first use: a
// phone fetches several files before it has taken over the steady token.
const EnrollGrace = time.Hour

// Stage says which token of the device hash belongs to at a time. What it compares
// is compared in constant time.
func (t Tokens) Stage(hash [32]byte, now time.Time) TokenStage {
	if t.Steady.IsZero() {
		return NoToken
	}
	steady := HashToken(t.Steady.Reveal())
	isSteady := subtle.ConstantTimeCompare(steady[:], hash[:]) == 1
	isEnroll := subtle.ConstantTimeCompare(t.EnrollHash[:], hash[:]) == 1
	switch {
	case isSteady:
		return SteadyToken
	case isEnroll && now.Before(t.EnrollExpires) && (t.EnrollUsed.IsZero() || now.Before(t.EnrollUsed.Add(EnrollGrace))):
		return EnrollToken
	}
	return NoToken
}
