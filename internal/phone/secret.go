package phone

import "log/slog"

const redacted = "[redacted]"

// Secret is a password, a token or a key. It prints as "[redacted]" in every
// format, in JSON and in logs; Reveal is the one way to the text, and greppable.
type Secret struct{ text string }

// NewSecret wraps text.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal returns the text. Only rendering, digest checks, the encrypted store
// and the one answer that shows a new password may call it.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == "" }

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer, so that %#v does not print the text.
func (Secret) GoString() string { return redacted }

// MarshalText keeps the text out of JSON, YAML and XML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
