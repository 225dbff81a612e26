package provision

// ShownPath is a path as a log may show it: without the token that it may hold.
func ShownPath(path string) string {
	if t, ok := Parse(path); ok {
		return t.Name
	}
	return pathWithoutToken(path)
}
