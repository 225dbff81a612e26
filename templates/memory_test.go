package templates

import (
	"io"
	"runtime"
	"testing"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/testkit"
)

// Rendering keeps nothing: after thousands of files of other phones each, and of
// templates that fail, the heap is as large as before. Not parallel: the heap is that
// of the process.
func TestRenderRetainsNothing(t *testing.T) {
	n := 20_000
	if testkit.Race {
		n /= 10
	}
	set := Builtin()
	bomb, err := set.With(Variant{Name: "x", File: "yealink/phone", Text: "{{$a := .MAC.Hex}}{{range 60}}{{$a = print $a $a}}{{end}}"})
	if err != nil {
		t.Fatal(err)
	}
	views := map[phone.Vendor]View{}
	for _, vendor := range phone.Vendors() {
		views[vendor] = everything(t, vendor)
	}
	do := func(i int) {
		vendor := phone.Vendors()[i%3]
		v := views[vendor]
		v.MAC = NewMAC(phone.MAC{0, 1, 2, byte(i >> 16), byte(i >> 8), byte(i)})
		if err := set.Render(io.Discard, string(vendor)+"/phone", v); err != nil {
			t.Fatal(err)
		}
		if i%500 == 0 && bomb.Render(io.Discard, "yealink/phone", v) == nil {
			t.Fatal("a bomb was rendered")
		}
	}
	for i := range 100 { // pools and tables are filled
		do(i)
	}
	before := heapInUse()
	for i := range n {
		do(i)
	}
	if grown := int64(heapInUse()) - int64(before); grown > 2<<20 {
		t.Errorf("the heap has grown by %d bytes over %d files", grown, n)
	}
}

// heapInUse is what is alive after a collection; two, since a pool keeps what it has
// for one.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
