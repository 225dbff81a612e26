package tlsalert

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
)

// What OpenSSL sends when it does not trust us becomes its name; everything else
// passes as it is.
func TestConn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sent []byte
		want tls.AlertError // 0: it passes
	}{
		"unknown authority": {[]byte{21, 3, 3, 0, 2, 2, 48}, 48},
		"expired":           {[]byte{21, 3, 3, 0, 2, 2, 45}, 45},
		"close notify":      {[]byte{21, 3, 3, 0, 2, 1, 0}, 0},
		"encrypted":         {[]byte{23, 3, 3, 0, 2, 2, 48}, 0},
		"longer":            {[]byte{21, 3, 3, 0, 2, 2, 48, 0}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near, far := net.Pipe()
			go func() {
				_, _ = far.Write(c.sent)
				_ = far.Close()
			}()
			got, err := io.ReadAll(Conn{near})
			var alert tls.AlertError
			switch {
			case c.want == 0 && (err != nil || string(got) != string(c.sent)):
				t.Errorf("%v, %v", got, err)
			case c.want != 0 && (!errors.As(err, &alert) || alert != c.want || len(got) > 0):
				t.Errorf("%v, %v, want alert %d", got, err, c.want)
			}
		})
	}
}
