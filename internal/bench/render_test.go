package bench

import "testing"

// The file is as large as the one it is compared with, and a rendering leaves
// nothing behind.
func TestRender(t *testing.T) {
	r, err := Render(2000)
	if err != nil || r.Bytes < 45_000 || r.Bytes > 60_000 || r.AllocsPer > 20 || r.HeapGrown > 1<<20 {
		t.Errorf("%+v, %v", r, err)
	}
}

func BenchmarkRenderT46S(b *testing.B) {
	b.ReportAllocs()
	r, err := Render(b.N)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(r.CPUPerFile().Nanoseconds())/1000, "cpu-us/file")
	b.ReportMetric(float64(r.Bytes), "bytes")
}
