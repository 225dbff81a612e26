package phone

import "regexp"

// SecretParam recognises vendor parameters that hold a secret: by name for Polycom
// and Yealink, by number for Grandstream (admin, user and account passwords, keys of
// the configuration file, HTTP password; phone-facts grandstream_pvalues.csv).
func SecretParam(name string) bool { return secretName.MatchString(name) }

var secretName = regexp.MustCompile(
	`(?i)(passw|secret|aes_key|encryption\.key|\.key$|pin$|^P(1|2|34|196|406|506|606|1706|1806|1359|1361|6769)$)`)
