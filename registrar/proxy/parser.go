package proxy

import (
	"github.com/emiago/sipgo/sip"
)

// badHeader is the prefix of the name under which a header goes on that sipgo
// could not parse; without it the whole message or connection would be dropped.
const badHeader = "X-Bad-"

// newParser is sipgo's parser with two changes: headers that the proxy does not
// read stay byte for byte what they were, and one that is malformed becomes an
// ordinary header named X-Bad-..., to be answered 400, instead of an error that
// drops the message and closes the connection.
func newParser() *sip.Parser {
	parsers := map[string]sip.HeaderParser{}
	all := sip.DefaultHeadersParser()
	for _, name := range []string{"to", "t", "from", "f", "call-id", "i", "cseq", "via", "v", "max-forwards", "route"} {
		parse := all[name]
		parsers[name] = func(name []byte, value string) (sip.Header, error) {
			h, err := parse(name, value)
			if err != nil && err.Error() != "comma detected" { // sipgo's way to say: one more value
				return sip.NewHeader(badHeader+string(name), value), nil
			}
			return h, err
		}
	}
	// A wrong length cannot be mended: there is no end of the message.
	parsers["content-length"], parsers["l"] = all["content-length"], all["l"]
	return sip.NewParser(sip.WithHeadersParsers(parsers))
}
