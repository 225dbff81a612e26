package api

import (
	"net/http"
	"time"
)

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
	return []route{
		{"GET", base + "/dhcp/snippets", phonesRead, s.dhcpSnippets},
		{"GET", base + "/dhcp/servers", phonesRead, s.dhcpServers},
	}
}

// DHCPServer is another DHCP server whose replies were overheard.
type DHCPServer struct {
	Address   string            `json:"address"`
	Interface string            `json:"interface"`
	FirstSeen time.Time         `json:"firstSeen"`
	LastSeen  time.Time         `json:"lastSeen"`
	Replies   int               `json:"replies"`
	Options   map[string]string `json:"options,omitempty"` // by number: what it tells phones about files
	Problem   string            `json:"problem,omitempty"` // a sentence; absent: it may be there
}

// dhcpServers answers GET /v1/pbx/dhcp/servers.
func (s *server) dhcpServers(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	answer := struct {
		Listening bool         `json:"listening"`
		Servers   []DHCPServer `json:"servers"`
	}{Servers: []DHCPServer{}}
	if s.DHCPServers != nil {
		var list []DHCPServer
		list, answer.Listening = s.DHCPServers()
		for _, one := range list {
			one.FirstSeen, one.LastSeen = stamp(one.FirstSeen), stamp(one.LastSeen)
			answer.Servers = append(answer.Servers, one)
		}
	}
	return writeJSON(w, http.StatusOK, answer)
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
