//go:build race

package templates

// raced says that the race detector is on: every step costs ten times as much.
const raced = true
