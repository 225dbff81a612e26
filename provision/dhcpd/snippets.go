package dhcpd

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed data/snippets/*.tmpl
var snippetFiles embed.FS

var snippetTemplates = template.Must(template.New("").Option("missingkey=error").ParseFS(snippetFiles, "data/snippets/*.tmpl"))

// Snippet is a piece of configuration that makes another DHCP server tell phones
// where their files are.
type Snippet struct {
	Server string // "isc", "kea", "dnsmasq", "mikrotik", "windows"
	Title  string
	// Tried: the server itself has read it in a test; the others are from their
	// documentation only.
	Tried bool
	Text  string
}

// Snippets are the pieces for every server that is known, with the URL of f.
func Snippets(f Facts) ([]Snippet, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	bare, _ := f.url(urlBare)
	slash, _ := f.url(urlSlash)
	// What a quoted string of one of the servers could not carry.
	quoted := strings.NewReplacer(`"`, "%22", `'`, "%27", `\`, "%5C", "$", "%24", "`", "%60")
	data := struct{ Bare, Slash string }{quoted.Replace(bare), quoted.Replace(slash)}
	out := []Snippet{
		{Server: "isc", Title: "ISC dhcpd", Tried: true},
		{Server: "kea", Title: "Kea", Tried: true},
		{Server: "dnsmasq", Title: "dnsmasq", Tried: true},
		{Server: "mikrotik", Title: "MikroTik RouterOS"},
		{Server: "windows", Title: "Windows Server"},
	}
	for i := range out {
		var b strings.Builder
		if err := snippetTemplates.ExecuteTemplate(&b, out[i].Server+".tmpl", data); err != nil {
			return nil, fmt.Errorf("snippet for %s: %w", out[i].Title, err)
		}
		out[i].Text = b.String()
	}
	return out, nil
}
