package location

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// The journal is a file of records: length (4 bytes, little endian) and CRC32C
// of the payload, then the payload. A payload is a kind, and for recordChanges
// the AOR and what one Update did to it, so that a record holds all of an Update
// or nothing. Numbers are varints, texts have their length in front.
const (
	recordChanges = 1
	recordNothing = 2 // proof that the disk takes a write

	opPut     = 'P' // the whole binding
	opRefresh = 'R' // ID, Call-ID, CSeq and times of a binding that is there
	opDelete  = 'D' // ID

	recordHeader = 8
	maxRecord    = 16 << 20
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errRecord  = errors.New("damaged record")
)

// beginRecord leaves room for the header; endRecord fills it in.
func beginRecord(b []byte) ([]byte, int) {
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0), len(b)
}

func endRecord(b []byte, start int) []byte {
	payload := b[start+recordHeader:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(payload, castagnoli))
	return b
}

// appendChanges appends the record of what one Update did. Expired bindings need
// no record: their time says it.
func appendChanges(b []byte, aor AOR, changes []Change) []byte {
	b, start := beginRecord(b)
	b = append(b, recordChanges)
	b = appendText(b, string(aor))
	for i := range changes {
		c := &changes[i].Binding
		switch changes[i].Kind {
		case Added, Changed:
			b = appendBinding(append(b, opPut), c)
		case Refreshed:
			b = appendTexts(append(b, opRefresh), c.ID, c.CallID)
			b = binary.AppendUvarint(b, uint64(c.CSeq))
			b = appendTimes(b, c)
		case Removed, Evicted, FlowLost:
			b = appendText(append(b, opDelete), c.ID)
		case Expired:
		}
	}
	return endRecord(b, start)
}

func appendNothing(b []byte) []byte {
	b, start := beginRecord(b)
	return endRecord(append(b, recordNothing), start)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, texts ...string) []byte {
	for _, s := range texts {
		b = appendText(b, s)
	}
	return b
}

func appendTimes(b []byte, c *Binding) []byte {
	b = binary.AppendVarint(b, toMillis(c.RegisteredAt))
	b = binary.AppendVarint(b, toMillis(c.RefreshedAt))
	return binary.AppendVarint(b, toMillis(c.ExpiresAt))
}

func appendBinding(b []byte, c *Binding) []byte {
	b = appendTexts(b, c.ID, c.Contact, c.Params, c.Received, c.Transport, c.Socket, c.Node, c.Boot, c.Flow,
		c.CallID, c.Instance, c.UserAgent, c.AuthUser, c.Device)
	b = binary.AppendUvarint(b, uint64(c.CSeq))
	b = binary.AppendVarint(b, int64(c.RegID))
	b = binary.AppendVarint(b, int64(c.Q))
	b = binary.AppendUvarint(b, uint64(len(c.Path)))
	b = appendTexts(b, c.Path...)
	return appendTimes(b, c)
}
