package api

import "net/http"

// Snippet is a piece of configuration that makes another DHCP server tell phones
// where their files are.
type Snippet struct {
	Server string `json:"server"` // "isc", "kea", "dnsmasq", "mikrotik", "windows"
	Title  string `json:"title"`
	Tried  bool   `json:"tried"` // that server has read it in a test of ours
	Text   string `json:"text"`
}

// dhcpRoutes are the calls about DHCP.
func (s *server) dhcpRoutes() []route {
	return []route{{"GET", base + "/dhcp/snippets", phonesRead, s.dhcpSnippets}}
}

// dhcpSnippets answers GET /v1/pbx/dhcp/snippets.
func (s *server) dhcpSnippets(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	if err := q.err(); err != nil {
		return err
	}
	answer := struct {
		Snippets []Snippet `json:"snippets"`
	}{[]Snippet{}}
	if s.Snippets != nil {
		if answer.Snippets, err = s.Snippets(); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}
