package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// linphone is another softphone of somebody else, driven over its console.
type linphone struct {
	t   testing.TB
	in  io.Writer
	log *syncBuffer
}

// linphoneConfig needs the file of the authority, address, transport (twice each),
// number, user and password. Port -1 is any. Its TLS compares names with the subject
// only, where no address can be, so the name is not looked at.
const linphoneConfig = `[sip]
default_proxy=0
sip_port=-1
sip_tcp_port=-1
sip_tls_port=-1
root_ca=%s
verify_server_certs=1
verify_server_cn=0
use_ipv6=0
media_encryption=none
register_only_when_network_is_up=0
[net]
mtu=1300
[video]
enabled=0
[proxy_0]
reg_proxy=<sip:%[2]s;transport=%[3]s>
reg_route=<sip:%[2]s;transport=%[3]s;lr>
reg_identity=sip:%[4]s@pbx.dev
reg_expires=600
reg_sendregister=1
publish=0
[auth_info_0]
username=%[4]s
userid=%[5]s
passwd=%[6]s
realm=pbx.dev
domain=pbx.dev
`

func startLinphone(t testing.TB, d *daemon, transport string, c credentials) *linphone {
	t.Helper()
	path, dir := testkit.Need(t, "linphonec"), t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".local/share/linphone"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "rc"), fmt.Sprintf(linphoneConfig, filepath.Join(d.dir, "tls", "ca.pem"),
		d.addr["sip."+transport], transport, c.Number, c.SIPUsername, c.SIPPassword))
	cmd := exec.Command(path, "-c", filepath.Join(dir, "rc"))
	p := &linphone{t: t, log: &syncBuffer{}}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), "HOME="+dir), p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("linphone:\n%s", p.log)
		}
	})
	return p
}

func (p *linphone) do(command string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, command); err != nil {
		p.t.Fatal(err)
	}
}

func (p *linphone) await(what string) {
	p.t.Helper()
	eventually(p.t, 20*time.Second, "linphone: "+what, func() bool { return strings.Contains(p.log.String(), what) })
}

// linphone and baresip on one extension ring together; whoever answers, the other
// stops; the call is hung up from either side.
func TestLinphone(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "linphonec")
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			d := serve(t, secureLoopback...)
			desk, caller := d.extension("101", "Desk"), d.extension("102", "Caller")
			lin := startLinphone(t, d, transport, desk)
			bare := startBaresip(t, "desk", d.addr["sip.udp"], "udp", "101", desk.SIPUsername, desk.SIPPassword)
			dial := startBaresip(t, "caller", d.addr["sip.tcp"], "tcp", "102", caller.SIPUsername, caller.SIPPassword)
			bare.registered()
			dial.registered()
			eventually(t, 20*time.Second, "linphone is registered", func() bool {
				list := d.contactList("101")
				return len(list) == 2 && (list[0].Transport == transport || list[1].Transport == transport)
			})

			dial.do("dial", "sip:101@pbx.dev")
			lin.await("Receiving new incoming call from")
			bare.await("CALL_INCOMING")
			bare.do("accept", "")
			dial.await("CALL_ESTABLISHED")
			lin.await("Call 1 with")
			lin.await("ended")
			dial.do("hangup", "")
			bare.await("CALL_CLOSED")
			dial.await("CALL_CLOSED")

			bare.forget()
			dial.forget()
			dial.do("dial", "sip:101@pbx.dev")
			bare.await("CALL_INCOMING")
			lin.await("assigned id 2")
			lin.do("answer 2")
			dial.await("CALL_ESTABLISHED")
			bare.await("CALL_CLOSED")
			lin.do("terminate 2")
			dial.await("CALL_CLOSED")
		})
	}
}
