package config

import (
	_ "embed"
	"strings"
)

//go:embed example.yaml
var example []byte

// comments returns what the example says of each setting, by its path. A setting without
// a comment of its own has that of the one before it in its section.
func comments(text string) map[string]string {
	says := map[string]string{}
	section, comment, fresh := "", "", false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		words := strings.TrimSpace(line)
		if said, ok := strings.CutPrefix(words, "#"); ok {
			if !fresh {
				comment, fresh = "", true
			}
			comment = strings.TrimSpace(comment + " " + strings.TrimSpace(said))
			continue
		}
		key, value, isKey := strings.Cut(words, ":")
		switch {
		case !isKey || strings.HasPrefix(words, "-"):
		case words != line: // indented
			says[section+"."+key] = comment
		case value == "":
			section = key
		default:
			says[key] = comment
		}
		fresh = false
	}
	return says
}

// Example returns the annotated default configuration.
func Example() []byte { return example }
