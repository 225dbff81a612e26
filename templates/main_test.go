package templates

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if err := os.Setenv("ZONEINFO", zonesOfGo()); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
