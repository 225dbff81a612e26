package dhcpd

import (
	"net/netip"
	"slices"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// said is what each row's phones are told for given facts, worked out once: the
// facts seldom change and packets come by the thousand.
type said struct {
	facts    Facts
	hour     int64 // the time offset is that of this hour
	rows     [][]saidOption
	tftp     netip.Addr
	tftpHost string
	fault    error // what is wrong with the facts, and so is left out
}

// saidOption is one option; data is nil for a boot file, which depends on the MAC.
type saidOption struct {
	code uint8
	form form
	data []byte
}

// say returns what is to be told now.
func (e *engine) say(now time.Time) *said {
	f, hour := e.opts.Facts(), now.Unix()/3600
	if s := e.told.Load(); s != nil && s.hour == hour && s.facts.same(&f) {
		return s
	}
	s := newSaid(e.rows, f, now)
	s.hour = hour
	e.told.Store(s)
	return s
}

func newSaid(rows []row, f Facts, now time.Time) *said {
	s := &said{facts: f, fault: f.check(), tftp: f.tftpAddr(), tftpHost: f.tftpHost(), rows: make([][]saidOption, len(rows))}
	for i := range rows {
		for _, o := range rows[i].options {
			v := rows[i].value(o, &f, phone.MAC{}, now)
			if o.form == formBootfile {
				v = nil
			} else if len(v) == 0 {
				continue
			}
			s.rows[i] = append(s.rows[i], saidOption{o.code, o.form, v})
		}
	}
	return s
}

func (f *Facts) same(o *Facts) bool {
	return f.HTTPURL == o.HTTPURL && f.HTTPSURL == o.HTTPSURL && f.TFTPHost == o.TFTPHost && f.SIPServer == o.SIPServer &&
		slices.Equal(f.NTP, o.NTP) && f.VLAN == o.VLAN && f.VLANPriority == o.VLANPriority && f.TimeZone == o.TimeZone
}
