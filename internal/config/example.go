package config

import _ "embed"

//go:embed example.yaml
var example []byte

// Example returns the annotated default configuration.
func Example() []byte { return example }
