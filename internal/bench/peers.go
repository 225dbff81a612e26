package bench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed kamailio.cfg
var kamailioConfig string

// Kamailio starts the tuned peer (two children, the fast allocator): usrloc in
// memory, or with redisPort written through to Redis before the answer.
func Kamailio(ctx context.Context, core int, dir string, port, redisPort int) (*Process, error) {
	modules, err := filepath.Glob("/usr/lib/*/kamailio/modules")
	if err != nil || len(modules) == 0 {
		return nil, errors.New("kamailio's modules are not installed")
	}
	cfg := strings.NewReplacer("@PORT@", strconv.Itoa(port), "@MPATH@", modules[0]+"/", "@REDISPORT@", strconv.Itoa(redisPort)).Replace(kamailioConfig)
	name := filepath.Join(dir, fmt.Sprintf("kamailio.%d.cfg", port))
	if err := os.WriteFile(name, []byte(cfg), 0o600); err != nil {
		return nil, err
	}
	args := []string{"-f", name, "-DD", "-E", "-m", "512", "-M", "16", "-Y", dir, "-P", filepath.Join(dir, "kamailio.pid"), "-X", "fm", "-x", "fm"}
	if redisPort != 0 {
		args = append(args, "-A", "WITH_REDIS")
	}
	p, err := Start(ctx, core, "/usr/sbin/kamailio", args...)
	if err != nil {
		return nil, err
	}
	return p, awaitUDP(p, port)
}

// Redis starts redis-server with an append-only file, every second to disk.
func Redis(ctx context.Context, core int, dir string, port int) (*Process, error) {
	p, err := Start(ctx, core, "/usr/bin/redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
		"--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
	if err != nil {
		return nil, err
	}
	if err := AwaitTCP(p, fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		return nil, err
	}
	// Kamailio's usrloc refuses a database without its table version.
	return p, exec.CommandContext(ctx, "redis-cli", "-p", strconv.Itoa(port), "-n", "5",
		"hset", "version:entry::location", "table_name", "location", "table_version", "9").Run()
}

// Dnsmasq starts dnsmasq as a TFTP server for the files in dir, on port 69 of
// loopback: it knows no other port, so this needs root.
func Dnsmasq(ctx context.Context, core int, dir string) (*Process, error) {
	p, err := Start(ctx, core, "/usr/sbin/dnsmasq", "--keep-in-foreground", "--user=root", "--port=0", "--interface=lo", "--bind-interfaces",
		"--listen-address=127.0.0.1", "--enable-tftp", "--tftp-root="+dir, "--tftp-max=200", "--pid-file="+filepath.Join(dir, "pid"), "--conf-file=/dev/null")
	if err != nil {
		return nil, err
	}
	return p, awaitUDP(p, 69)
}

// Atftpd starts atftpd as a TFTP server for the files in dir: it is the one peer that
// has windowsize.
func Atftpd(ctx context.Context, core int, dir string, port int) (*Process, error) {
	p, err := Start(ctx, core, "/usr/sbin/atftpd", "--daemon", "--no-fork", "--bind-address", "127.0.0.1", "--port", strconv.Itoa(port),
		"--user", "root.root", "--verbose=0", "--logfile", filepath.Join(dir, "log"), dir)
	if err != nil {
		return nil, err
	}
	return p, awaitUDP(p, port)
}

//go:embed nginx.conf
var nginxConfig string

// Nginx starts one worker for the files in dir on port (HTTP) and port+1 (HTTPS with
// the given certificate).
func Nginx(ctx context.Context, core int, dir string, port int, cert, key string) (*Process, error) {
	cfg := strings.NewReplacer("@DIR@", dir, "@HTTP@", strconv.Itoa(port), "@HTTPS@", strconv.Itoa(port+1), "@CERT@", cert, "@KEY@", key).Replace(nginxConfig)
	name := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(name, []byte(cfg), 0o600); err != nil {
		return nil, err
	}
	p, err := Start(ctx, core, "/usr/sbin/nginx", "-e", filepath.Join(dir, "error.log"), "-c", name)
	if err != nil {
		return nil, err
	}
	return p, AwaitTCP(p, fmt.Sprintf("127.0.0.1:%d", port))
}

// AwaitTCP waits until addr accepts connections.
func AwaitTCP(p *Process, addr string) error {
	return await(p, func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second) //nolint:noctx // bounded by its timeout
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// awaitUDP waits until something has bound the port.
func awaitUDP(p *Process, port int) error {
	return await(p, func() bool {
		c, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // binds at once
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

func await(p *Process, ready func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 6000 { // two minutes: a server may have a million registrations to read
		if ready() {
			return nil
		}
		<-tick.C
	}
	p.Stop()
	return fmt.Errorf("%s does not start: %s", p.Name, p.Output())
}
