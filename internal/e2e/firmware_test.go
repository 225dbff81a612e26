package e2e

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// image is firmware as the API shows it.
type image struct {
	ID, Name, Version, SHA256 string
	Size                      int64
	Warnings                  []string
}

// uploaded posts a file with curl, and returns the status and the answer.
func (d *daemon) uploaded(file string, fields ...string) (string, image) {
	d.t.Helper()
	args := []string{"-sS", "-w", "\n%{http_code}", "-H", "Authorization: Bearer " + d.key, "-F", "file=@\"" + file + "\""}
	for _, f := range fields {
		args = append(args, "-F", f)
	}
	out, err := exec.Command(testkit.Need(d.t, "curl"), append(args, "http://"+d.addr["admin"]+"/v1/pbx/firmware")...).Output()
	if err != nil {
		d.t.Fatalf("curl: %v\n%s", err, out)
	}
	body, status, _ := strings.Cut(string(out), "\n\n")
	if status == "" {
		body, status = string(out[:bytes.LastIndexByte(out, '\n')]), string(out[bytes.LastIndexByte(out, '\n')+1:])
	}
	var i image
	if err := json.Unmarshal([]byte(body), &i); err != nil {
		d.t.Fatalf("%v: %s", err, body)
	}
	return strings.TrimSpace(status), i
}

// An image goes up with curl, is named in the file of a phone, and comes down whole,
// in part and from where a transfer broke off, by every client.
func TestFirmwareByCurl(t *testing.T) {
	t.Parallel()
	d := serve(t)
	macs := deskPhones(d)
	const name = "T46S(T48S,T42S,T41S)-66.86.0.15.rom"
	content := strings.Repeat("0123456789abcdef", 1<<15)
	file := filepath.Join(t.TempDir(), name)
	writeFile(t, file, content)
	status, i := d.uploaded(file, "vendor=yealink", "model=T46S", "requires=66.80.0.1")
	if status != "201" || i.Name != name || i.Version != "66.86.0.15" || i.Size != int64(len(content)) {
		t.Fatalf("%s %+v", status, i)
	}
	if status, again := d.uploaded(file, "vendor=yealink", "model=T46S"); status != "200" || again.ID != i.ID {
		t.Errorf("again: %s %+v", status, again)
	}
	writeFile(t, file, "other content")
	if status, _ := d.uploaded(file, "vendor=yealink"); status != "409" {
		t.Errorf("other content: %s", status)
	}
	if status := d.call("PUT", "/v1/pbx/firmware/targets/yealink/T46S", map[string]string{"firmwareId": i.ID}, nil); status != http.StatusOK {
		t.Fatalf("target: %d", status)
	}
	if status := d.call("DELETE", "/v1/pbx/firmware/"+i.ID, nil, nil); status != http.StatusConflict {
		t.Errorf("deleted while it is a target: %d", status)
	}
	agent := "Yealink SIP-T46S 66.85.0.5 " + macs["yealink"]
	cfg := d.curl("-A", agent, "http://"+d.addr["http"]+"/"+macs["yealink"]+".cfg")
	_, path, ok := strings.Cut(cfg, "static.firmware.url = http://"+d.addr["http"]+"/")
	path, _, _ = strings.Cut(path, "\n")
	if !ok || !strings.HasPrefix(path, "fw/"+macs["yealink"]+"/"+i.ID+"/T46S%28") {
		t.Fatalf("the file names %q:\n%s", path, cfg)
	}
	url := "http://" + d.addr["http"] + "/" + path
	if got := d.curl(url); got != content {
		t.Errorf("%d bytes of %d", len(got), len(content))
	}
	if got := d.curl("-r", "16-19", url); got != "0123" {
		t.Errorf("a part: %q", got)
	}
	half := filepath.Join(t.TempDir(), "half")
	writeFile(t, half, content[:1000])
	d.curl("-C", "-", "-o", half, url)
	if got, err := os.ReadFile(half); err != nil || string(got) != content {
		t.Errorf("resumed: %d bytes, %v", len(got), err)
	}
	id := d.phones("macAddress=" + macs["yealink"])[0].ID
	retry := func() {
		if status := d.call("POST", "/v1/pbx/phones/"+id+"/firmware/retry", nil, nil); status != http.StatusNoContent {
			t.Fatalf("retry: %d", status)
		}
	}
	for client, fetch := range fetchers(t, d) {
		retry() // more than three fetches in an hour are a loop
		n := "fw/" + macs["yealink"] + "/" + i.ID + "/" + name
		if strings.HasPrefix(client, "http") {
			n = path
		}
		if got := fetch(n); string(got) != content {
			t.Errorf("%s: %d bytes of %d", client, len(got), len(content))
		}
	}
	retry()
	for range 3 {
		d.curl("-A", agent, "-o", "/dev/null", url)
	}
	admin := "http://" + d.addr["admin"] + "/v1/pbx/phones/" + id
	eventually(t, 20*time.Second, "the offer stops, and an event says so", func() bool {
		key := "Authorization: Bearer " + d.key
		return strings.Contains(d.curl("-H", key, admin+"/firmware"), `"stoppedAt"`) && strings.Contains(d.curl("-H", key, admin+"/timeline"), `"kind":"firmware"`)
	})
	cfg = d.curl("-A", agent, "http://"+d.addr["http"]+"/"+macs["yealink"]+".cfg")
	if res, err := http.Get(url); err != nil || res.StatusCode != http.StatusNotFound || strings.Contains(cfg, "firmware.url") {
		t.Errorf("after three fetches with no change of version: %v, %v, %s", res, err, cfg)
	}
	retry()
	// A phone that reports a newer version is offered nothing older.
	newer := "Yealink SIP-T46S 66.90.0.1 " + macs["yealink"]
	if cfg := d.curl("-A", newer, "http://"+d.addr["http"]+"/"+macs["yealink"]+".cfg"); strings.Contains(cfg, "firmware.url") {
		t.Errorf("offered a downgrade:\n%s", cfg)
	}
}

// curl runs curl and returns what it printed.
func (d *daemon) curl(args ...string) string {
	d.t.Helper()
	out, err := exec.Command(testkit.Need(d.t, "curl"), append([]string{"-sSf", "--max-time", "20"}, args...)...).Output()
	if err != nil {
		d.t.Errorf("curl %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// The command line is a client of the API.
func TestFirmwareCommand(t *testing.T) {
	t.Parallel()
	d := serve(t)
	file := filepath.Join(t.TempDir(), "gxp2170fw.bin")
	writeFile(t, file, strings.Repeat("x", 1<<20))
	run := func(args ...string) (string, string, error) {
		cmd := exec.Command(binary, append([]string{"firmware"}, args...)...)
		cmd.Args = append(cmd.Args, "--server", "http://"+d.addr["admin"], "--data_dir", d.dir)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		return out.String(), errs.String(), err
	}
	out, progress, err := run("upload", file, "--vendor", "grandstream", "--model", "GXP2170", "--version", "1.0.11.85")
	if err != nil || !strings.HasPrefix(out, "fw_") || !strings.Contains(progress, "100% of 1 MB") {
		t.Fatalf("%v\n%s\n%s", err, out, progress)
	}
	id := strings.Fields(out)[0]
	if out, errs, err := run("list"); err != nil || !strings.Contains(out, id) || !strings.Contains(out, "1.0.11.85") {
		t.Errorf("list: %v %s %s", err, out, errs)
	}
	if out, errs, err := run("target", id, "--vendor", "grandstream", "--model", "GXP2170"); err != nil || !strings.Contains(out, id) {
		t.Errorf("target: %v %s %s", err, out, errs)
	}
	if _, errs, err := run("delete", id); err == nil || !strings.Contains(errs, "409") {
		t.Errorf("deleted a target: %v %s", err, errs)
	}
	if _, errs, err := run("upload", file, "--vendor", "yealink"); err == nil || !strings.Contains(errs, "422") {
		t.Errorf("wrong vendor: %v %s", err, errs)
	}
}

// The server is killed in the middle of an upload: nothing of it is there afterwards.
func TestFirmwareKilled(t *testing.T) {
	t.Parallel()
	d := serve(t)
	conn, err := net.Dial("tcp", d.addr["admin"])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := "POST /v1/pbx/firmware HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + d.key + "\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 99999999\r\n\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"half.rom\"\r\n\r\n" + strings.Repeat("x", 1<<20)
	if _, err := conn.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "half an upload is on the disk", func() bool {
		parts, _ := filepath.Glob(filepath.Join(d.dir, "firmware", ".partial-*"))
		return len(parts) == 1
	})
	d.kill(syscall.SIGKILL)
	d.start()
	if body := d.curl("-H", "Authorization: Bearer "+d.key, "http://"+d.addr["admin"]+"/v1/pbx/firmware"); !strings.Contains(body, `"firmware":[]`) {
		t.Errorf("%s", body)
	}
	res, err := http.Get("http://" + d.addr["http"] + "/half.rom")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("half.rom: %s", res.Status)
	}
}

// A canary that does not come back with the new version halts the rollout: the other
// phones are offered nothing.
func TestFirmwareCanary(t *testing.T) {
	t.Parallel()
	d := serve(t)
	macs := []string{"001565aabb01", "001565aabb02"}
	for i, mac := range macs {
		number := []string{"101", "102"}[i]
		d.extension(number, "Desk")
		d.phone(mac, "T46S", number)
		d.simulated("yealink", mac)
	}
	eventually(t, 30*time.Second, "both register", func() bool { return len(d.phones("registered=true")) == 2 })
	file := filepath.Join(t.TempDir(), "T46S-66.99.0.1.rom")
	writeFile(t, file, "content")
	_, i := d.uploaded(file, "model=T46S")
	var target struct {
		JobID string `json:"jobId"`
	}
	body := map[string]any{"firmwareId": i.ID, "waves": map[string]int{"canary": 1, "timeoutSeconds": 2}}
	if status := d.call("PUT", "/v1/pbx/firmware/targets/yealink/T46S", body, &target); status != http.StatusOK || target.JobID == "" {
		t.Fatalf("%d %+v", status, target)
	}
	eventually(t, 60*time.Second, "the rollout halts", func() bool {
		var j job
		return d.call("GET", "/v1/pbx/jobs/"+target.JobID, nil, &j) == http.StatusOK && j.State == "halted" && j.Counts.Failed == 1
	})
	offered := 0
	for _, mac := range macs {
		if strings.Contains(d.curl("http://"+d.addr["http"]+"/"+mac+".cfg"), "/"+i.ID+"/") {
			offered++
		}
	}
	if offered != 1 {
		t.Errorf("%d phones are offered the image, want the canary alone", offered)
	}
}

// Phones store files with curl and TFTP; a flood of them is bounded.
func TestUploadsByClients(t *testing.T) {
	t.Parallel()
	d := serve(t, "--uploads.file_kb", "64", "--uploads.phone_kb", "100")
	macs := deskPhones(d)
	id := d.phones("macAddress=" + macs["polycom"])[0].ID
	put := func(size int, url string) string {
		file := filepath.Join(t.TempDir(), "body")
		writeFile(t, file, strings.Repeat("x", size))
		out, err := exec.Command(testkit.Need(t, "curl"), "-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}", "-T", file, url).Output()
		if err != nil {
			t.Logf("curl: %v", err)
		}
		return string(out)
	}
	at := "http://" + d.addr["http"] + "/" + macs["polycom"]
	for _, step := range []struct {
		name string
		size int
		want string
	}{
		{"-phone.cfg", 60 << 10, "20"},
		{"-phone.cfg", 61 << 10, "20"},
		{"-web.cfg", 65 << 10, "413"},
		{"-web.cfg", 40 << 10, "507"},
		{"-app.log", 1000, "20"},
		{".cfg", 10, "404"},
		{"-license.cfg", 10, "404"},
	} {
		if got := put(step.size, at+step.name); !strings.HasPrefix(got, step.want) {
			t.Errorf("%s with %d bytes: %s, want %s", step.name, step.size, got, step.want)
		}
	}
	if got := put(10, "http://"+d.addr["http"]+"/0004f2999999-app.log"); got != "404" {
		t.Errorf("of a phone nobody knows: %s", got)
	}
	host, port, err := net.SplitHostPort(d.addr["tftp"])
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "boot.log")
	writeFile(t, file, "booted\n")
	for _, cmd := range [][]string{
		{testkit.Need(t, "tftp"), "-m", "binary", host, port, "-c", "put", file, macs["polycom"] + "-boot.log"},
		{testkit.Need(t, "atftp"), "-p", "-l", file, "-r", macs["polycom"] + "-boot.log", host, port},
	} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v %s", cmd, err, out)
		}
	}
	base := "http://" + d.addr["admin"] + "/v1/pbx/phones/" + id + "/uploads"
	if log := d.curl("-H", "Authorization: Bearer "+d.key, base+"/"+macs["polycom"]+"-boot.log"); log != "booted\nbooted\n" {
		t.Errorf("boot.log: %q", log)
	}
	if got := d.curl(at + "-phone.cfg"); len(got) != 61<<10 {
		t.Errorf("read back: %d bytes", len(got))
	}
	busy := 0
	for range 60 {
		if put(100, at+"-calls.xml") == "503" {
			busy++
		}
	}
	if busy == 0 {
		t.Error("a flood was not slowed down")
	}
	if list := d.curl("-H", "Authorization: Bearer "+d.key, base); strings.Count(list, `"name"`) != 4 {
		t.Errorf("%s", list)
	}
}
