package registrar

import (
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/edge"
)

// connectReasons are the failures of connections that somebody can do something
// about, and what to say of them.
var connectReasons = map[string]string{
	edge.FailedNotTLS:      "it speaks something else than TLS on the TLS port; set its transport to TLS, or its port to that of TCP",
	edge.FailedVersion:     "it has no TLS version that is allowed here; see sip.tls_min_version",
	edge.FailedCipher:      "it has no TLS cipher in common with this server; see sip.tls_min_version",
	edge.FailedAuthority:   "it does not accept the certificate of this server, since it does not trust its CA; give it the CA certificate",
	edge.FailedClock:       "it does not accept the certificate of this server, which has ended by its clock; give it the right time",
	edge.FailedCertificate: "it does not accept the certificate of this server; give it the CA certificate, and the right time",
	edge.FailedTLS:         "the TLS handshake failed",
	edge.FailedTimeout:     "it did not complete the handshake in time",
	edge.FailedProtocol:    "it does not ask for a WebSocket as RFC 6455 says",
	edge.FailedSubprotocol: "it does not offer the WebSocket subprotocol sip",
	edge.FailedOrigin:      "the page it comes from is not in sip.ws_origins",
	edge.FailedTooLarge:    "its request for a WebSocket is too large",
}

// connectFailed records a connection that failed before it carried SIP, as long
// as there are not too many: anybody on the network can cause them.
func (s *Server) connectFailed(f edge.Failure) {
	detail, known := connectReasons[f.Reason]
	if !known || !s.connects.Allow() {
		return
	}
	s.opts.Recorder(phone.Event{
		At: s.opts.Now(), Kind: phone.EventConnect, Proto: f.Transport, Outcome: f.Reason,
		Source: f.Remote.String(), Detail: detail,
	})
}
