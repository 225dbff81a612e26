package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Dialtone is our own server under test and a client of its REST API.
type Dialtone struct {
	*Process
	Admin, HTTP, HTTPS, SIP, TFTP string // addresses
	Dir                           string // its data
	key                           string
}

// StartDialtone starts the binary with data in dir. Listeners are on loopback
// ports counted up from base; redisURL "" is the embedded store.
func StartDialtone(ctx context.Context, core int, binary, dir string, base int, redisURL string) (*Dialtone, error) {
	addr := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", base+i) }
	d := &Dialtone{Dir: dir, Admin: addr(0), HTTP: addr(1), SIP: addr(2), TFTP: addr(3), HTTPS: addr(4)}
	args := []string{
		"serve", "--data_dir", dir, "--advertise", "127.0.0.1", "--admin.listen", d.Admin, "--http.listen", d.HTTP,
		"--sip.udp", d.SIP, "--sip.tcp", "off", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off",
		"--tftp.listen", d.TFTP, "--https.listen", d.HTTPS, "--sip.domain", "bench.test", "--log.level", "warn",
	}
	if redisURL != "" {
		args = append(args, "--redis.url", redisURL)
	}
	var err error
	if d.Process, err = Start(ctx, core, binary, args...); err != nil {
		return nil, err
	}
	if err := AwaitTCP(d.Process, d.Admin); err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(dir, "admin.key"))
	d.key = strings.TrimSpace(string(key))
	return d, err
}

// Post calls the REST API and wants a 201.
func (d *Dialtone) Post(ctx context.Context, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.Admin+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+d.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err == nil && res.StatusCode != http.StatusCreated {
		err = fmt.Errorf("POST %s: %s: %s", path, res.Status, answer)
	}
	return err
}

// File fetches a phone's file over HTTP.
func (d *Dialtone) File(ctx context.Context, name string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.HTTP+"/"+name, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", name, res.Status)
	}
	return io.ReadAll(res.Body)
}
