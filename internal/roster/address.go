package roster

// OnlyAt returns the phone that has registered, or fetched its files, from an IP
// address, if there is exactly one such phone: several are behind one NAT, and
// nothing tells them apart. It looks at all phones.
func (r *Roster) OnlyAt(ip string) (id string, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, row := range r.st.byID {
		if row.ip != ip && (row.dev == nil || row.dev.sourceIP != ip) {
			continue
		}
		if ok {
			return "", false
		}
		id, ok = row.id, true
	}
	return id, ok
}
