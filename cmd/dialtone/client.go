package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// resource is a command that is a client of the REST API: "dialtone phones list".
type resource struct {
	name  string
	verbs []verb
}

// verb is what can be done with a resource.
type verb struct {
	name, help string
	operands   []string // names of what must follow
	make       func(fs *flag.FlagSet, c *apiClient) action
}

// action does it.
type action func(ctx context.Context, operands []string) error

// run runs "dialtone NAME VERB OPERANDS [flags]"; flags may stand anywhere.
func (r resource) run(ctx context.Context, args []string) error {
	if len(args) > 0 && slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		r.usage(os.Stdout)
		return nil
	}
	// With flags in front the verb is the first word that is one.
	for i, word := range args {
		for _, v := range r.verbs {
			if v.name == word {
				return r.do(ctx, v, slices.Concat(args[:i], args[i+1:]))
			}
		}
		if !strings.HasPrefix(args[0], "-") {
			break
		}
	}
	r.usage(os.Stderr)
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return errUsage
	}
	return fmt.Errorf("%s: no command %q", r.name, args[0])
}

func (r resource) usage(out io.Writer) {
	fmt.Fprintf(out, "usage: dialtone %s COMMAND [flags]\n\n", r.name)
	for _, v := range r.verbs {
		fmt.Fprintf(out, "  %-10s %s  %s\n", v.name, strings.Join(v.operands, " "), v.help)
	}
	fmt.Fprintf(out, "\n\"dialtone %s COMMAND --help\" lists the flags of a command.\n", r.name)
}

func (r resource) do(ctx context.Context, v verb, args []string) error {
	fs := flag.NewFlagSet(r.name+" "+v.name, flag.ContinueOnError)
	c := newAPIClient(fs)
	act := v.make(fs, c)
	var operands []string
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return errUsage
		}
		if args = fs.Args(); len(args) > 0 {
			operands, args = append(operands, args[0]), args[1:]
		}
	}
	if len(operands) != len(v.operands) {
		fmt.Fprintf(os.Stderr, "usage: dialtone %s %s %s [flags]\n", r.name, v.name, strings.Join(v.operands, " "))
		return errUsage
	}
	if c.output != "table" && c.output != "json" {
		fmt.Fprintln(os.Stderr, "-o must be table or json")
		return errUsage
	}
	if err := c.readKey(); err != nil {
		return err
	}
	return act(ctx, operands)
}

// object is an answer of the API as it came.
type object = map[string]any

// list prints all pages of a list: as a table of the columns, or as one JSON array.
func (c *apiClient) list(ctx context.Context, path, key string, columns ...string) error {
	var all []any
	join := "?"
	if strings.Contains(path, "?") {
		join = "&"
	}
	for next := ""; ; {
		var page object
		if err := c.call(ctx, http.MethodGet, path+join+"limit=500&cursor="+url.QueryEscape(next), nil, &page); err != nil {
			return err
		}
		items, _ := page[key].([]any)
		all = append(all, items...)
		if next, _ = page["next"].(string); next == "" {
			return c.print(all, columns...)
		}
	}
}

// get prints one thing.
func (c *apiClient) get(ctx context.Context, method, path string, body any) error {
	var answer any
	if err := c.call(ctx, method, path, body, &answer); err != nil {
		return err
	}
	return printJSON(answer)
}

func (c *apiClient) print(items []any, columns ...string) error {
	if c.output == "json" {
		if items == nil {
			items = []any{}
		}
		return printJSON(items)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(columns, "\t")))
	for _, item := range items {
		cells := make([]string, len(columns))
		for i, column := range columns {
			cells[i] = cmp.Or(cellOf(item, column), "-")
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// cellOf is a field of an answer as one cell shows it; "a.b" is b of a.
func cellOf(item any, column string) string {
	for name := range strings.SplitSeq(column, ".") {
		o, _ := item.(object)
		item = o[name]
	}
	switch v := item.(type) {
	case nil:
		return ""
	case []any:
		parts := make([]string, len(v))
		for i, p := range v {
			parts[i] = fmt.Sprint(p)
		}
		return oneLine(strings.Join(parts, ","))
	}
	return oneLine(fmt.Sprint(item))
}

// oneLine takes out what would move a terminal's cursor.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

func printJSON(v any) error {
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}

// importCSV sends a file of rows and says what became of it.
func (c *apiClient) importCSV(ctx context.Context, path, name string, dryRun bool) error {
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if dryRun {
		path += "?dryRun=true"
	}
	var answer struct {
		DryRun        bool
		Rows, Created int
	}
	body := newBar(bytes.NewReader(content), int64(len(content)))
	if err := c.send(ctx, http.MethodPost, path, "text/csv", body, &answer); err != nil {
		return err
	}
	if answer.DryRun {
		fmt.Printf("%d rows are well; nothing was stored\n", answer.Rows)
		return nil
	}
	fmt.Printf("%d of %d created\n", answer.Created, answer.Rows)
	return nil
}

// show makes a verb that prints one thing by its name.
func show(help, path, operand string) verb {
	return verb{"show", help, []string{operand}, func(_ *flag.FlagSet, c *apiClient) action {
		return func(ctx context.Context, o []string) error {
			return c.get(ctx, http.MethodGet, path+url.PathEscape(o[0]), nil)
		}
	}}
}

// remove makes a verb that deletes one thing by its name.
func remove(name, help, path, operand string) verb {
	return verb{name, help, []string{operand}, func(_ *flag.FlagSet, c *apiClient) action {
		return func(ctx context.Context, o []string) error {
			return c.call(ctx, http.MethodDelete, path+url.PathEscape(o[0]), nil, nil)
		}
	}}
}
