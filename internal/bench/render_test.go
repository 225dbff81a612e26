package bench

import "testing"

// The file is as large as the one it is compared with, and a rendering leaves
// nothing behind: not one allocation for each file.
func TestRender(t *testing.T) {
	r, err := Render(2000)
	if err != nil || r.Bytes < 45_000 || r.Bytes > 60_000 || r.AllocsPer > 0.5 || r.HeapGrown > 1<<20 || r.HeapHalf > 1<<20 {
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
	b.ReportMetric(float64(r.HeapStart), "heap-start")
	b.ReportMetric(float64(r.HeapHalf), "heap+half")
	b.ReportMetric(float64(r.HeapGrown), "heap+end")
}
