package phone

// FileLine is one line of a phone's file and where it comes from.
type FileLine struct {
	Text string // without the line end, secrets masked
	// Layer is the most specific one of the settings that stand in the line:
	// "global", "site/Berlin", "phone", "line", "server". A line that holds no
	// setting is "built-in", or "template" when an uploaded template wrote it.
	Layer    string
	Template string // its name: "yealink-phone"
	Line     int    // of the template; 1 is the first
	Revision int64  // of the template; 0: it is built in
	Settings []string
}
