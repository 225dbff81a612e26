package stage_test

import (
	"fmt"
	"os"
	"testing"

	"pbx.dev/dialtone/internal/inventory/pgtest"
)

var postgres = &pgtest.Server{}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
