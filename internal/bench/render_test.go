package bench

import (
	"os/exec"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// The file is as large as the one it is compared with, and a rendering leaves
// nothing behind: not one allocation for each file.
func TestRender(t *testing.T) {
	r, err := Render(2000)
	most := 0.5
	if testkit.Race {
		most = 5
	}
	if err != nil || r.Bytes < 45_000 || r.Bytes > 60_000 || r.AllocsPer > most || r.HeapGrown > 1<<20 || r.HeapHalf > 1<<20 {
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

// Smarty writes the file that we write: it is the same work that is compared.
func TestSmartyWritesTheSameFile(t *testing.T) {
	library := SmartyLibrary()
	if _, err := exec.LookPath("php"); err != nil || library == "" {
		t.Skip("php-cli and smarty4 are not installed: the benchmark runs without this peer")
	}
	for _, reuse := range []bool{false, true} {
		r, err := Smarty(t.Context(), library, t.TempDir(), 10*time.Millisecond, reuse)
		if err != nil || r.Rendered < 20 || r.CPU <= 0 || r.Bytes < 45_000 {
			t.Errorf("reuse %t: %+v, %v", reuse, r, err)
		}
	}
}
