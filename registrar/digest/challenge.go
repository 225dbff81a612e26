package digest

// Challenges returns the values of WWW-Authenticate (or Proxy-Authenticate), MD5
// first since some clients read only the first, with one fresh nonce; fewer for
// clients that cannot take them.
func (v *Verifier) Challenges(stale bool, userAgent string) []string {
	nonce := v.nonces.append(nil, v.opts.Now())
	out := make([]string, 0, len(algorithms))
	for _, alg := range v.offered(userAgent) {
		out = append(out, string(v.appendChallenge(nil, alg, nonce, stale)))
	}
	return out
}

// AppendChallenges appends the same challenges as whole header lines with the
// header name given, each ended by CRLF, fewer for clients that cannot take them.
func (v *Verifier) AppendChallenges(dst []byte, header string, stale bool, userAgent string) []byte {
	var buf [nonceLen]byte
	nonce := v.nonces.append(buf[:0], v.opts.Now())
	for _, alg := range v.offered(userAgent) {
		dst = append(dst, header...)
		dst = append(dst, ": "...)
		dst = v.appendChallenge(dst, alg, nonce, stale)
		dst = append(dst, '\r', '\n')
	}
	return dst
}

func (v *Verifier) appendChallenge(dst []byte, alg algorithm, nonce []byte, stale bool) []byte {
	dst = append(dst, v.prefix...)
	dst = append(dst, nonce...)
	dst = append(dst, `", algorithm=`...)
	dst = append(dst, algorithms[alg]...)
	dst = append(dst, `, qop="auth"`...)
	if stale {
		dst = append(dst, `, stale=true`...)
	}
	return dst
}
