package proxy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
)

// flow is the way to one phone: where it is, over what, and for UDP at which of
// our sockets (RFC 5626 section 3.3).
type flow struct {
	transport string // as in location.Binding
	remote    netip.AddrPort
	local     netip.AddrPort // of UDP only
}

// transports in the order of their number in a token.
var transports = []string{"udp", "tcp", "tls", "ws", "wss"}

// token is what a Record-Route carries: the flows of both ends of a dialog, and
// their extensions, to find a phone again that came back over another flow.
type token struct {
	caller, callee       flow
	callerExt, calleeExt string
	// The nodes that have the flows; "" where there are no others.
	callerNode, calleeNode string
}

const (
	tokenVersion = 2
	macSize      = 12
)

var errToken = errors.New("flow token is not ours")

// tokens seals and opens flow tokens. A token is good for one dialog: its MAC
// covers the Call-ID and the tag of the party that made the call, which also
// tells in which direction a request goes.
type tokens struct{ key []byte }

func (k *tokens) seal(t token, callID, callerTag string) string {
	b := []byte{tokenVersion}
	for _, f := range []flow{t.caller, t.callee} {
		b = append(b, byte(slices.Index(transports, f.transport)))
		b = appendField(b, binaryAddr(f.remote))
		b = appendField(b, binaryAddr(f.local))
	}
	b = appendField(b, []byte(t.callerExt))
	b = appendField(b, []byte(t.calleeExt))
	b = appendField(b, []byte(t.callerNode))
	b = appendField(b, []byte(t.calleeNode))
	return base64.RawURLEncoding.EncodeToString(append(b, k.mac(b, callID, callerTag)...))
}

// open checks a token against a request; fromCaller tells who sent it.
func (k *tokens) open(s, callID, fromTag, toTag string) (t token, fromCaller bool, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) <= macSize || raw[0] != tokenVersion {
		return token{}, false, errToken
	}
	body, mac := raw[:len(raw)-macSize], raw[len(raw)-macSize:]
	switch {
	case hmac.Equal(mac, k.mac(body, callID, fromTag)):
		fromCaller = true
	case !hmac.Equal(mac, k.mac(body, callID, toTag)):
		return token{}, false, errToken
	}
	t, err = decode(body[1:])
	return t, fromCaller, err
}

func (k *tokens) mac(body []byte, callID, tag string) []byte {
	h := hmac.New(sha256.New, k.key)
	h.Write(body)
	h.Write([]byte{0})
	h.Write([]byte(callID))
	h.Write([]byte{0})
	h.Write([]byte(tag))
	return h.Sum(nil)[:macSize]
}

// loop is the part of our Via branch that is equal when the same request comes
// back unchanged (RFC 3261 section 16.6 step 8, RFC 5393 section 4.2).
func (k *tokens) loop(parts ...string) string {
	h := hmac.New(sha256.New, k.key)
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// appendField adds a field of at most 255 bytes; longer ones, which no address
// and no extension is, are cut.
func appendField(b, field []byte) []byte {
	field = field[:min(len(field), 255)]
	return append(append(b, byte(len(field))), field...)
}

func binaryAddr(a netip.AddrPort) []byte {
	if !a.IsValid() {
		return nil
	}
	b, _ := a.MarshalBinary() // fails never
	return b
}

func decode(b []byte) (token, error) {
	var t token
	ok := true
	next := func() []byte {
		if !ok || len(b) == 0 || len(b) <= int(b[0]) {
			ok = false
			return nil
		}
		field := b[1 : 1+int(b[0])]
		b = b[1+int(b[0]):]
		return field
	}
	for _, f := range []*flow{&t.caller, &t.callee} {
		if len(b) == 0 || int(b[0]) >= len(transports) {
			return token{}, errToken
		}
		f.transport, b = transports[b[0]], b[1:]
		ok = f.remote.UnmarshalBinary(next()) == nil && ok
		if local := next(); len(local) > 0 {
			ok = f.local.UnmarshalBinary(local) == nil && ok
		}
	}
	t.callerExt, t.calleeExt = string(next()), string(next())
	t.callerNode, t.calleeNode = string(next()), string(next())
	if !ok {
		return token{}, errToken
	}
	return t, nil
}
