// Package testkit is what tests of every room share: finding the programs they
// drive. It is imported by tests only.
package testkit

import (
	"os"
	"os/exec"
	"testing"
)

// Need returns the path of a program that the test drives. Without the program
// the test is skipped, and fails when E2E_REQUIRE=1, as CI sets it.
func Need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	// Debian keeps servers out of an ordinary user's PATH.
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if _, err := os.Stat(dir + program); err == nil {
			return dir + program
		}
	}
	Missing(t, "program "+program+" is not installed")
	return ""
}

// Missing skips the test for want of something, or fails it when E2E_REQUIRE=1.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("E2E_REQUIRE") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// NeedRoot skips or fails a test that makes network namespaces.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "needs root for network namespaces")
	}
}
