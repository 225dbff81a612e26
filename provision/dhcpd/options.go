package dhcpd

import "errors"

var errCut = errors.New("an option is cut off")

// option is one DHCP option off the wire.
type option struct {
	code uint8
	data []byte
}

// options are the options of one message, in their order. The array keeps those of
// ordinary messages out of the heap.
type options struct {
	list  []option
	array [24]option
}

// read adds the options in b, which are joined when they come in pieces (RFC
// 3396). The End option may be missing: others accept that too.
func (o *options) read(b []byte) error {
	if o.list == nil {
		o.list = o.array[:0]
	}
	for len(b) > 0 && b[0] != optEnd {
		if b[0] == optPad {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return errCut
		}
		n := 2 + int(b[1])
		o.add(b[0], b[2:n:n])
		b = b[n:]
	}
	return nil
}

func (o *options) add(code uint8, data []byte) {
	for i := range o.list {
		if p := &o.list[i]; p.code == code {
			p.data = append(p.data, data...) // its capacity ends with it: this copies
			return
		}
	}
	o.list = append(o.list, option{code, data})
}

// get is the value of an option, nil when it is absent.
func (o *options) get(code uint8) []byte {
	for i := range o.list {
		if o.list[i].code == code {
			return o.list[i].data
		}
	}
	return nil
}

// Option codes of RFC 2132 and its successors, as far as the server reads or
// writes them itself.
const (
	optPad             = 0
	optMask            = 1
	optRouter          = 3
	optDNS             = 6
	optBroadcast       = 28
	optNTP             = 42
	optVendor          = 43
	optRequested       = 50
	optLeaseTime       = 51
	optOverload        = 52
	optType            = 53
	optServerID        = 54
	optAsked           = 55
	optMessage         = 56
	optMaxSize         = 57
	optT1              = 58
	optT2              = 59
	optClass           = 60
	optClientID        = 61
	optTFTPServer      = 66
	optBootfile        = 67
	optRelay           = 82
	optVendorClass     = 124
	optVendorSpecific  = 125
	optTFTPAddrs       = 150
	optProvisioningURL = 160
	optEnd             = 255
)
