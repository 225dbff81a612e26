package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/bench"
)

const (
	imageName  = "bench.rom"
	imageBytes = 50_000_000
	configSize = 8192 // about; what a phone with its keys programmed gets
)

// files measures what phones fetch: rendered files beside dnsmasq's and nginx's static
// ones of the same bytes, and an image beside atftpd's.
func (r *runner) files(ctx context.Context) error {
	dir, port, err := r.workdir("dialtone")
	if err != nil {
		return err
	}
	if err := writeImage(filepath.Join(dir, "firmware")); err != nil {
		return err
	}
	d, err := bench.StartDialtone(ctx, serverCore, r.binary, dir, port, "")
	if err != nil {
		return err
	}
	defer d.Stop()
	names, err := phones(ctx, d, min(r.users, 1000))
	if err != nil {
		return err
	}
	static, err := r.statics(ctx, d, names)
	if err != nil {
		return err
	}
	for _, job := range []struct {
		name string
		run  func(context.Context, *bench.Dialtone, string, []string) error
	}{{"tftp", r.tftpConfigs}, {"image", r.tftpImage}, {"http", r.httpConfigs}} {
		if jobs := strings.Split(r.jobs, ","); !slices.Contains(jobs, "files") && !slices.Contains(jobs, job.name) {
			continue
		}
		if err := job.run(ctx, d, static, names); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) tftpConfigs(ctx context.Context, d *bench.Dialtone, static string, names []string) error {
	const job = "8 KB, TFTP 1428"
	load := bench.TFTPLoad{Files: names, Block: 1428, Parallel: 32, Duration: r.duration}
	run := func() (bench.Result, error) { return load.Run(ctx) }
	var base *bench.Result
	if !r.alone && os.Geteuid() == 0 && installed("/usr/sbin/dnsmasq") {
		p, err := bench.Dnsmasq(ctx, serverCore, static)
		if err != nil {
			return err
		}
		load.Target = "127.0.0.1:69"
		base, err = r.measure(nil, job, "dnsmasq", run, p)
		p.Stop()
		if err != nil {
			return err
		}
	}
	load.Target = d.TFTP
	_, err := r.measure(base, job, "dialtone", run, d.Process)
	return err
}

func (r *runner) tftpImage(ctx context.Context, d *bench.Dialtone, static string, _ []string) error {
	var base *bench.Result
	for _, window := range []int{1, 16} {
		job := fmt.Sprintf("50 MB, TFTP 1428 x %d", window)
		load := bench.TFTPLoad{Files: []string{imageName}, Block: 1428, Window: window, Parallel: 1, Duration: r.duration}
		run := func() (bench.Result, error) { return load.Run(ctx) }
		if !r.alone && os.Geteuid() == 0 && installed("/usr/sbin/atftpd") {
			r.port += 10
			p, err := bench.Atftpd(ctx, serverCore, static, r.port)
			if err != nil {
				return err
			}
			load.Target = fmt.Sprintf("127.0.0.1:%d", r.port)
			base, err = r.measure(nil, job, "atftpd", run, p)
			p.Stop()
			if err != nil {
				return err
			}
			fmt.Printf("#   %.0f MB/s\n", base.MBps())
		}
		load.Target = d.TFTP
		res, err := r.measure(base, job, "dialtone", run, d.Process)
		if err != nil {
			return err
		}
		fmt.Printf("#   %.0f MB/s\n", res.MBps())
	}
	return nil
}

func (r *runner) httpConfigs(ctx context.Context, d *bench.Dialtone, static string, names []string) error {
	var nginx *bench.Process
	var http, https string
	if !r.alone && installed("/usr/sbin/nginx") {
		r.port += 10
		var err error
		certs := filepath.Join(d.Dir, "tls")
		nginx, err = bench.Nginx(ctx, serverCore, static, r.port, filepath.Join(certs, "server.pem"), filepath.Join(certs, "server.key"))
		if err != nil {
			return err
		}
		defer nginx.Stop()
		http, https = fmt.Sprintf("127.0.0.1:%d", r.port), fmt.Sprintf("127.0.0.1:%d", r.port+1)
	}
	phone := func(cache tls.ClientSessionCache) *tls.Config {
		return &tls.Config{
			InsecureSkipVerify: true, //nolint:gosec // a load generator
			CurvePreferences:   []tls.CurveID{tls.CurveP256}, ClientSessionCache: cache, ServerName: "bench",
		}
	}
	for _, job := range []struct {
		name   string
		tls    func() *tls.Config
		status int
	}{
		{"8 KB, HTTP new", nil, 200},
		{"304, HTTP new", nil, 304},
		{"8 KB, HTTPS new", func() *tls.Config { return phone(nil) }, 200},
		{"8 KB, TLS 1.3 resumed", func() *tls.Config { return phone(tls.NewLRUClientSessionCache(64)) }, 200},
		{"8 KB, TLS 1.2 resumed", func() *tls.Config {
			c := phone(tls.NewLRUClientSessionCache(64))
			c.MaxVersion = tls.VersionTLS12 // what phones speak
			return c
		}, 200},
	} {
		load := bench.HTTPLoad{Files: names, Status: job.status, ETag: job.status == 304, Parallel: 32, Duration: r.duration}
		run := func() (bench.Result, error) { return load.Run(ctx) }
		var base *bench.Result
		if nginx != nil {
			load.Target = http
			if job.tls != nil {
				load.Target, load.TLS = https, job.tls()
			}
			var err error
			if base, err = r.measure(nil, job.name, "nginx", run, nginx); err != nil {
				return err
			}
		}
		load.Target = d.HTTP
		if job.tls != nil {
			load.Target, load.TLS = d.HTTPS, job.tls()
		}
		if _, err := r.measure(base, job.name, "dialtone", run, d.Process); err != nil {
			return err
		}
	}
	return nil
}

// statics writes the very files that d renders, and the image, for the peers.
func (r *runner) statics(ctx context.Context, d *bench.Dialtone, names []string) (string, error) {
	dir, _, err := r.workdir("static")
	if err != nil {
		return "", err
	}
	for _, n := range names {
		body, err := d.File(ctx, n)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, n), body, 0o644) //nolint:gosec // peers serve what everybody may read
		}
		if err != nil {
			return "", err
		}
	}
	return dir, writeImage(dir)
}

func writeImage(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // as above
		return err
	}
	image := make([]byte, imageBytes)
	if _, err := rand.Read(image); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, imageName), image, 0o644) //nolint:gosec // as above
}

// phones creates n Yealink phones, their keys programmed, and returns the names of
// their files.
func phones(ctx context.Context, d *bench.Dialtone, n int) ([]string, error) {
	settings := map[string]string{}
	for size, i := 1200, 1; size < configSize; i++ {
		name, value := fmt.Sprintf("linekey.%d.label", i), strings.Repeat("x", 40)
		settings[name] = value
		size += len(name) + len(value) + 4
	}
	names := make([]string, n)
	for i := range names {
		number := fmt.Sprint(1001 + i)
		if err := d.Post(ctx, "/v1/pbx/extensions", map[string]string{"number": number, "name": "Desk " + number}); err != nil {
			return nil, err
		}
		mac := fmt.Sprintf("001565%06x", i)
		err := d.Post(ctx, "/v1/pbx/phones", map[string]any{
			"macAddress": mac, "model": "T46S", "lines": []any{map[string]any{"line": 1, "extensionNumber": number}},
			"settings": settings,
		})
		if err != nil {
			return nil, err
		}
		names[i] = mac + ".cfg"
	}
	return names, nil
}
