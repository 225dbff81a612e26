package catalog

import (
	"fmt"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// block is one assignment of the registry.
type block struct {
	name   string
	vendor phone.Vendor
}

// ouiTable finds a block by its first 24, 28 or 36 bits.
type ouiTable struct {
	by36, by28, by24 map[uint64]block
}

// VendorOf tells whose MAC block mac is in: the maker's display name
// ("Polycom", "Snom") and the vendor in lower case. The longest prefix wins.
// Some blocks (Panasonic, VTech, Cisco-Linksys, Avaya) hold other things than
// phones too, so ok is a hint about the maker and not about the device.
func VendorOf(mac phone.MAC) (name string, v phone.Vendor, ok bool) {
	b, ok := blocks().find(mac)
	return b.name, b.vendor, ok
}

func (t *ouiTable) find(mac phone.MAC) (block, bool) {
	var n uint64
	for _, b := range mac {
		n = n<<8 | uint64(b)
	}
	if b, ok := t.by36[n>>12]; ok {
		return b, true
	}
	if b, ok := t.by28[n>>20]; ok {
		return b, true
	}
	b, ok := t.by24[n>>24]
	return b, ok
}

func parseOUI(text string) (*ouiTable, error) {
	rows, err := records(text, "prefix", "bits", "vendor", "registrant", "source")
	if err != nil {
		return nil, err
	}
	t := &ouiTable{by36: map[uint64]block{}, by28: map[uint64]block{}, by24: map[uint64]block{}}
	sized := map[string]map[uint64]block{"36": t.by36, "28": t.by28, "24": t.by24}
	for _, r := range rows {
		n, err := strconv.ParseUint(r[0], 16, 64)
		if err != nil {
			return nil, fmt.Errorf("prefix %q: %w", r[0], err)
		}
		m, known := sized[r[1]]
		if bits, _ := strconv.Atoi(r[1]); !known || len(r[0])*4 != bits {
			return nil, fmt.Errorf("prefix %q has not %s bits", r[0], r[1])
		}
		// "Cisco MPP (example block)": the remark is not part of the name.
		name, _, _ := strings.Cut(r[2], " (")
		m[n] = block{name: name, vendor: phone.Vendor(strings.ToLower(name))}
	}
	return t, nil
}
