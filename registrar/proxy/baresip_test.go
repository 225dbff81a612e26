package proxy

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
	"pbx.dev/dialtone/registrar/fork"
	"pbx.dev/dialtone/registrar/location"
)

// softphone is a running baresip.
type softphone struct {
	t    *testing.T
	addr string
	cmd  *exec.Cmd
	out  *watchedOutput
}

// watchedOutput collects what a program prints and wakes who waits for it.
type watchedOutput struct {
	lockedBuffer
	news chan struct{}
}

func (w *watchedOutput) Write(p []byte) (int, error) {
	n, err := w.lockedBuffer.Write(p)
	select {
	case w.news <- struct{}{}:
	default:
	}
	return n, err
}

// baresip starts a softphone of an extension; account and args are added to the
// account's parameters and to the command line.
func baresip(t *testing.T, s *site, ext, account string, args ...string) *softphone {
	t.Helper()
	prog := testkit.Need(t, "baresip")
	dir, port := t.TempDir(), testkit.FreePort(t)
	p := &softphone{t: t, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), out: &watchedOutput{news: make(chan struct{}, 1)}}
	config := "module_path /usr/lib/baresip/modules\nsip_listen " + p.addr + "\nnet_interface 127.0.0.1\n" +
		"audio_source ausine,440\nausrc_srate 48000\nausrc_channels 2\naudio_player aufile," + filepath.Join(dir, "heard.wav") + "\naudio_alert aufile," + filepath.Join(dir, "alert.wav") + "\n" +
		"module ausine.so\nmodule aufile.so\nmodule g711.so\nmodule_app account.so\nmodule_app menu.so\n"
	files := map[string]string{
		"config":   config,
		"contacts": "",
		"accounts": fmt.Sprintf("<sip:%s@%s;transport=udp>;auth_user=%s_a;auth_pass=secret;outbound=\"sip:%s\";regint=0;audio_codecs=PCMU%s\n",
			ext, testDomain, ext, s.udp, account),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, prog, append([]string{"-f", dir, "-s", "-t", "40"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 3 * time.Second
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.cmd = cmd
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	return p
}

// says waits until the softphone has printed one of the texts.
func (p *softphone) says(texts ...string) {
	p.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		for _, text := range texts {
			if p.out.contains(text) {
				return
			}
		}
		select {
		case <-p.out.news:
		case <-deadline:
			p.t.Fatalf("baresip does not say %q:\n%s", texts, p.out.tail())
		}
	}
}

func (b *lockedBuffer) contains(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(string(b.b), text)
}

// TestBaresip: three real softphones, two of them on one extension. One answers,
// the other is told to stop ringing and why, then the caller hangs up.
func TestBaresip(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "baresip")
	h := &house{bindings: map[string][]location.Binding{}}
	s := newSite(t, func(o *Options) { o.Auth = verifier(t, h) })
	rings := baresip(t, s, "102", ";answermode=manual")
	answers := baresip(t, s, "102", ";answermode=auto")
	for _, p := range []*softphone{rings, answers} {
		p.says("baresip is ready")
		s.mu.Lock()
		s.bindings["102"] = append(s.bindings["102"], location.Binding{
			Contact: "sip:102@" + p.addr, Received: p.addr, Transport: "udp", AOR: "102@" + testDomain,
		})
		s.mu.Unlock()
	}
	caller := baresip(t, s, "101", "", "-e", "/dial sip:102@"+testDomain)
	answers.says("Call established")
	caller.says("Call established")
	answers.says("Call established")
	rings.says(fork.CompletedElsewhere)
	rings.says("session closed")
	if err := caller.cmd.Process.Signal(os.Interrupt); err != nil { // it hangs up and quits
		t.Fatal(err)
	}
	answers.says("session closed")
}
