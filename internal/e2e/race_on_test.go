//go:build race

package e2e

// raceFlags make the daemon watch itself when the tests do.
var raceFlags = []string{"-race"}
