//go:build race

package testkit

// Race says whether the race detector is on: every step costs ten times as much, and
// pools forget on purpose.
const Race = true
