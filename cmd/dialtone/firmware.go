package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// firmwareVerb registers the flags of a command of "dialtone firmware" and returns it.
func firmwareVerb(verb string, fs *flag.FlagSet, c *apiClient) action {
	switch verb {
	case "upload":
		fields := map[string]*string{}
		for name, help := range map[string]string{
			"vendor": "polycom, yealink or grandstream; may be left out when the name tells", "model": "models it is for, with commas",
			"version": "as phones report it; may be left out when the name has it", "requires": "least version that phones can take it from",
			"hardware": "hardware revisions it is for, with commas", "name": "name that phones ask for; empty: that of the file", "sha256": "refuse another content",
		} {
			fields[name] = fs.String(name, "", help)
		}
		return func(ctx context.Context, operands []string) error { return c.uploadFirmware(ctx, operands[0], fields) }
	case "list":
		return func(ctx context.Context, _ []string) error { return c.listFirmware(ctx) }
	case "delete":
		return func(ctx context.Context, operands []string) error {
			return c.call(ctx, http.MethodDelete, "/firmware/"+url.PathEscape(operands[0]), nil, nil)
		}
	case "target":
		vendor, model := fs.String("vendor", "", "vendor of the phones"), fs.String("model", "", "model of the phones")
		hardware := fs.String("hardware", "", "for this hardware revision only")
		down := fs.Bool("allow-downgrade", false, "offer it to phones with a newer version as well")
		canary := fs.Int("canary", 0, "begin with so many phones and go on when they are well; 0: all at once")
		return func(ctx context.Context, operands []string) error {
			body := map[string]any{"firmwareId": operands[0], "hardware": *hardware, "allowDowngrade": *down}
			if *canary > 0 {
				body["waves"] = map[string]int{"canary": *canary}
			}
			var answer json.RawMessage
			err := c.call(ctx, http.MethodPut, "/firmware/targets/"+url.PathEscape(*vendor)+"/"+url.PathEscape(*model), body, &answer)
			fmt.Print(string(answer))
			return err
		}
	}
	return nil
}

// apiClient calls the REST API of a running server.
type apiClient struct {
	server, keyFile, dataDir, key string
	output                        string // "table" or "json"
	insecure                      bool
	http                          *http.Client
}

func newAPIClient(fs *flag.FlagSet) *apiClient {
	c := &apiClient{http: &http.Client{}}
	fs.StringVar(&c.server, "server", "http://127.0.0.1:8080", "`URL` of admin.listen")
	fs.StringVar(&c.key, "key", "", "the API key; others on this machine see it, so better --key_file or DIALTONE_KEY")
	fs.StringVar(&c.keyFile, "key_file", "", "file with the API key; empty: DIALTONE_KEY, else admin.key of --data_dir")
	fs.StringVar(&c.keyFile, "key-file", "", "the same as --key_file")
	fs.StringVar(&c.output, "o", "table", "table or json")
	fs.StringVar(&c.dataDir, "data_dir", "./data", "data_dir of the server")
	fs.BoolVar(&c.insecure, "insecure", false, "do not check the certificate of an https server")
	return c
}

func (c *apiClient) readKey() error {
	if c.insecure {
		c.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // asked for by name
	}
	if c.key == "" && c.keyFile == "" {
		c.key = os.Getenv("DIALTONE_KEY")
	}
	if c.key != "" {
		return nil
	}
	if c.keyFile == "" {
		c.keyFile = filepath.Join(c.dataDir, "admin.key")
	}
	b, err := os.ReadFile(c.keyFile)
	c.key = strings.TrimSpace(string(b))
	return err
}

// call sends body, if any, as JSON and reads the answer into answer, if any.
func (c *apiClient) call(ctx context.Context, method, path string, body, answer any) error {
	var from io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		from = bytes.NewReader(b)
	}
	return c.send(ctx, method, path, "application/json", from, answer)
}

func (c *apiClient) send(ctx context.Context, method, path, contentType string, body io.Reader, answer any) error {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.server, "/")+"/v1/pbx"+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	if body != nil {
		r.Header.Set("Content-Type", contentType)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusMultipleChoices {
		return problemText(res)
	}
	if answer == nil {
		return nil
	}
	if out, raw := answer.(io.Writer); raw {
		_, err := io.Copy(out, res.Body)
		return err
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

// statusError is an answer that says no.
type statusError struct {
	status int
	text   string
}

// Error implements error.
func (e *statusError) Error() string { return e.text }

func isStatus(err error, status int) bool {
	var answer *statusError
	return errors.As(err, &answer) && answer.status == status
}

// problemText is what an error answer says, in one line.
func problemText(res *http.Response) error {
	var p struct {
		Detail string
		Errors []struct {
			Field, Detail string
			Line, Column  int
			Row           int
		}
	}
	text := res.Status
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p); err == nil && p.Detail != "" {
		text += ": " + p.Detail
	}
	if res.StatusCode == http.StatusConflict {
		p.Errors = nil // the detail says as much
	}
	for _, e := range p.Errors {
		if e.Line > 0 {
			text += fmt.Sprintf("\n  line %d, column %d:", e.Line, e.Column)
		}
		if e.Row > 0 {
			text += fmt.Sprintf("\n  row %d:", e.Row)
		}
		text += " " + strings.TrimSpace(e.Field+" "+strings.TrimSuffix(e.Detail, ".")) + "."
	}
	return &statusError{res.StatusCode, text}
}

// image is an image as the API shows it.
type image struct {
	ID, Vendor, Version, Name, SHA256 string
	Models, Warnings                  []string
	Size                              int64
}

func (c *apiClient) listFirmware(ctx context.Context) error {
	if c.output == "json" {
		return c.list(ctx, "/firmware", "firmware")
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tVENDOR\tMODELS\tVERSION\tBYTES\tNAME")
	for next := ""; ; {
		var page struct {
			Firmware []image
			Next     string
		}
		if err := c.call(ctx, http.MethodGet, "/firmware?limit=500&cursor="+url.QueryEscape(next), nil, &page); err != nil {
			return err
		}
		for _, i := range page.Firmware {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", i.ID, i.Vendor, cmp.Or(strings.Join(i.Models, ","), "-"), cmp.Or(i.Version, "-"), i.Size, i.Name)
		}
		if next = page.Next; next == "" {
			return w.Flush()
		}
	}
}

// uploadFirmware sends a file as it is read, the fields before it.
func (c *apiClient) uploadFirmware(ctx context.Context, name string, fields map[string]*string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	out, in := io.Pipe()
	form := multipart.NewWriter(in)
	go func() { in.CloseWithError(writeForm(form, filepath.Base(name), newBar(file, info.Size()), fields)) }()
	defer func() { _ = out.Close() }() // ends the writer when the server has refused
	var i image
	if err := c.send(ctx, http.MethodPost, "/firmware", form.FormDataContentType(), out, &i); err != nil {
		return err
	}
	fmt.Printf("%s  %s %s  sha256 %s\n", i.ID, i.Name, i.Version, i.SHA256)
	for _, w := range i.Warnings {
		fmt.Fprintln(os.Stderr, "warning:", w)
	}
	return nil
}

func writeForm(form *multipart.Writer, name string, from io.Reader, fields map[string]*string) error {
	for field, value := range fields {
		if *value == "" {
			continue
		}
		if err := form.WriteField(field, *value); err != nil {
			return err
		}
	}
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, from); err != nil {
		return err
	}
	return form.Close()
}

// bar draws how much of a file was read; where that is no terminal, the end only.
type bar struct {
	moves      bool
	from       io.Reader
	out        io.Writer
	done, size int64
	drawn      int64 // percent
}

func newBar(from io.Reader, size int64) *bar {
	info, err := os.Stderr.Stat()
	return &bar{moves: err == nil && info.Mode()&os.ModeCharDevice != 0, from: from, out: os.Stderr, size: size, drawn: -1}
}

// Read implements io.Reader.
func (b *bar) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.done += int64(n)
	if percent := 100 * b.done / max(b.size, 1); percent != b.drawn && (b.moves || b.done == b.size) {
		b.drawn = percent
		const width = 40
		full := int(percent) * width / 100
		fmt.Fprintf(b.out, "\r[%s%s] %3d%% of %s", strings.Repeat("#", full), strings.Repeat(" ", width-full), percent, bytesText(b.size))
		if b.done == b.size {
			fmt.Fprintln(b.out)
		}
	}
	return n, err
}

// bytesText is a size as people read it.
func bytesText(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d kB", (n+1023)>>10)
	}
	return fmt.Sprintf("%d MB", n>>20)
}
