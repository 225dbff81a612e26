package roster

import "testing"

func TestOnlyAt(t *testing.T) {
	t.Parallel()
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.st.byID = map[string]*row{
		"a": {id: "a", ip: "192.0.2.1"}, "b": {id: "b", ip: "192.0.2.2", dev: &device{sourceIP: "192.0.2.3"}},
		"c": {id: "c", ip: "192.0.2.4"}, "d": {id: "d", dev: &device{sourceIP: "192.0.2.4"}},
	}
	for ip, want := range map[string]string{"192.0.2.1": "a", "192.0.2.3": "b", "192.0.2.4": "", "192.0.2.9": ""} {
		if id, ok := r.OnlyAt(ip); id != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", ip, id, ok, want)
		}
	}
}
