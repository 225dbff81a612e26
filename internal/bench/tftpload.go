package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// TFTPLoad fetches files in a closed loop, each from a port of its own, as phones do.
// It is one thread with raw sockets, so that the generator costs less than the server.
type TFTPLoad struct {
	Target   string // ip:port
	Files    []string
	Block    int // blksize
	Window   int // windowsize; 0 and 1: not asked for
	Parallel int
	Duration time.Duration
}

// Run does the load. What was begun is finished, so that whole files are counted.
func (l TFTPLoad) Run(ctx context.Context) (Result, error) {
	target, err := netip.ParseAddrPort(l.Target)
	if err != nil {
		return Result{}, err
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return Result{}, err
	}
	r := &tftpRun{TFTPLoad: l, ep: ep, clients: map[int32]*tftpClient{}}
	r.target.Port, r.target.Addr = int(target.Port()), target.Addr().As4()
	r.window = max(1, l.Window)
	defer r.close()
	return r.run(ctx)
}

type tftpRun struct {
	TFTPLoad
	target  unix.SockaddrInet4
	ep      int
	window  int
	clients map[int32]*tftpClient
	next    int
	res     Result
	buf     [65536]byte
}

// tftpClient is one download.
type tftpClient struct {
	fd        int
	name      string
	began     time.Time
	heard     time.Time
	expect    uint16
	inWindow  int
	connected bool
	bytes     int64
}

func (r *tftpRun) run(ctx context.Context) (Result, error) {
	start := time.Now()
	for range r.Parallel {
		if err := r.begin(); err != nil {
			return r.res, err
		}
	}
	events := make([]unix.EpollEvent, 64)
	for looked := start; len(r.clients) > 0; {
		n, err := unix.EpollWait(r.ep, events, 500)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return r.res, err
		}
		now := time.Now()
		for _, e := range events[:max(n, 0)] {
			over, err := r.ready(r.clients[e.Fd], now)
			if err != nil {
				return r.res, err
			}
			if over && now.Sub(start) < r.Duration && ctx.Err() == nil {
				if err := r.begin(); err != nil {
					return r.res, err
				}
			}
		}
		if now.Sub(looked) > 500*time.Millisecond {
			looked = now
			r.giveUp(now)
		}
	}
	r.res.Elapsed = time.Since(start)
	if r.res.Ops == 0 {
		return r.res, errors.New("no file was fetched")
	}
	return r.res, nil
}

// begin asks for the next file from a new socket.
func (r *tftpRun) begin() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if r.window > 1 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20) // smaller: packets are lost and asked for again
	}
	if err := unix.EpollCtl(r.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		return err
	}
	c := &tftpClient{fd: fd, name: r.Files[r.next%len(r.Files)], began: time.Now(), expect: 1}
	c.heard = c.began
	r.next++
	r.clients[int32(fd)] = c
	var b strings.Builder
	fmt.Fprintf(&b, "\x00\x01%s\x00octet\x00tsize\x000\x00blksize\x00%d\x00", c.name, r.Block)
	if r.window > 1 {
		fmt.Fprintf(&b, "windowsize\x00%d\x00", r.window)
	}
	return unix.Sendto(fd, []byte(b.String()), 0, &r.target)
}

// ready takes the packets that have come and reports whether the file is complete.
func (r *tftpRun) ready(c *tftpClient, now time.Time) (bool, error) {
	if c == nil {
		return false, nil
	}
	c.heard = now
	for {
		n, from, err := r.receive(c)
		if errors.Is(err, unix.EAGAIN) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", c.name, err)
		}
		if !c.connected {
			if err := unix.Connect(c.fd, from); err != nil {
				return false, err
			}
			c.connected = true
		}
		over, err := r.packet(c, r.buf[:n])
		if over || err != nil {
			return over, err
		}
	}
}

// receive reads one packet; the sender is of interest once.
func (r *tftpRun) receive(c *tftpClient) (int, unix.Sockaddr, error) {
	if c.connected {
		n, err := unix.Read(c.fd, r.buf[:])
		return n, nil, err
	}
	return unix.Recvfrom(c.fd, r.buf[:], 0)
}

func (r *tftpRun) packet(c *tftpClient, p []byte) (over bool, err error) {
	if len(p) < 4 {
		return false, nil
	}
	switch p[1] {
	case 6:
		return false, r.ack(c, 0)
	case 3:
	default:
		return false, fmt.Errorf("%s: the server says %q", c.name, p)
	}
	number := binary.BigEndian.Uint16(p[2:])
	if number != c.expect { // lost, or repeated
		r.res.Errors++
		c.inWindow = 0
		return false, r.ack(c, c.expect-1)
	}
	c.expect++
	c.inWindow++
	c.bytes += int64(len(p) - 4)
	over = len(p)-4 < r.Block
	if over || c.inWindow == r.window {
		c.inWindow = 0
		err = r.ack(c, number)
	}
	if over {
		r.res.Ops++
		r.res.Bytes += c.bytes
		r.res.Latency = append(r.res.Latency, time.Since(c.began))
		r.end(c)
	}
	return over, err
}

func (r *tftpRun) ack(c *tftpClient, number uint16) error {
	_, err := unix.Write(c.fd, []byte{0, 4, byte(number >> 8), byte(number)})
	if errors.Is(err, unix.ECONNREFUSED) { // a server that has closed its port already
		return nil
	}
	return err
}

// giveUp ends the downloads that hear nothing.
func (r *tftpRun) giveUp(now time.Time) {
	for _, c := range r.clients {
		if now.Sub(c.heard) > 8*time.Second {
			r.res.Errors++
			r.end(c)
		}
	}
}

func (r *tftpRun) end(c *tftpClient) {
	delete(r.clients, int32(c.fd)) //nolint:gosec // descriptors are small
	_ = unix.Close(c.fd)
}

func (r *tftpRun) close() {
	for _, c := range r.clients {
		r.end(c)
	}
	_ = unix.Close(r.ep)
}
