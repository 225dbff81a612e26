package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

func templatesResource() resource {
	return resource{"templates", []verb{
		{"list", "list templates", nil, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, _ []string) error {
				return c.list(ctx, "/templates", "templates", "name", "vendor", "file", "builtin", "active", "revision", "latestRevision", "models", "note")
			}
		}},
		show("print a template", "/templates/", "NAME"),
		{"push", "check and store a template; phones get it from then on", []string{"FILE"}, func(fs *flag.FlagSet, c *apiClient) action {
			p := newPush(fs, c)
			keep := fs.Bool("no-activate", false, "store it and leave phones what they have")
			canary := fs.Int("canary", 0, "give it to so many phones first and go on when they are well; 0: all at once")
			return func(ctx context.Context, o []string) error { return p.push(ctx, o[0], *keep, *canary) }
		}},
		{"validate", "check a template and store nothing", []string{"FILE"}, func(fs *flag.FlagSet, c *apiClient) action {
			p := newPush(fs, c)
			return func(ctx context.Context, o []string) error { return p.validate(ctx, o[0]) }
		}},
		{"activate", "give phones a revision", []string{"NAME", "REVISION"}, func(fs *flag.FlagSet, c *apiClient) action {
			canary := fs.Int("canary", 0, "begin with so many phones and go on when they are well; 0: all at once")
			return func(ctx context.Context, o []string) error { return c.activate(ctx, o[0], o[1], *canary) }
		}},
		{"revisions", "list the revisions of a template", []string{"NAME"}, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, o []string) error {
				return c.list(ctx, "/templates/"+url.PathEscape(o[0])+"/revisions", "revisions", "revision", "active", "createdAt", "createdBy", "note")
			}
		}},
		{"rollback", "give phones the revision before, or another", []string{"NAME"}, func(fs *flag.FlagSet, c *apiClient) action {
			to := fs.Int("revision", -1, "which one; 0: the built-in template; -1: the one before")
			return func(ctx context.Context, o []string) error { return c.rollback(ctx, o[0], *to) }
		}},
		remove("delete", "delete an uploaded template", "/templates/", "NAME"),
	}}
}

// push is what is known of a template beside its text.
type push struct {
	*apiClient
	fields map[string]*string
	models *string
}

func newPush(fs *flag.FlagSet, c *apiClient) push {
	p := push{apiClient: c, fields: map[string]*string{}, models: fs.String("models", "", "models it is for, with commas; empty: all of the vendor")}
	for name, help := range map[string]string{
		"name": "name of the template; empty: that of the file", "vendor": "polycom, yealink or grandstream, of a new template",
		"file": "which file it makes, of a new template; empty: phone", "note": "what was changed",
	} {
		p.fields[name] = fs.String(name, "", help)
	}
	return p
}

// body is the template as the API takes it.
func (p push) body(file string) (name string, body object, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", nil, err
	}
	body = object{"content": string(text)}
	for field, v := range p.fields {
		if *v != "" {
			body[field] = *v
		}
	}
	if *p.models != "" {
		body["models"] = strings.Split(*p.models, ",")
	}
	name, _, _ = strings.Cut(filepath.Base(file), ".")
	name = cmp.Or(*p.fields["name"], name)
	body["name"] = name
	return name, body, nil
}

func (p push) push(ctx context.Context, file string, keep bool, canary int) error {
	name, body, err := p.body(file)
	if err != nil {
		return err
	}
	body["activate"] = !keep && canary == 0
	method, path := http.MethodPut, "/templates/"+url.PathEscape(name)
	var is object
	if err := p.call(ctx, http.MethodGet, path, nil, &is); isStatus(err, http.StatusNotFound) {
		method, path = http.MethodPost, "/templates"
	} else if err != nil {
		return err
	}
	var made object
	if err := p.call(ctx, method, path, body, &made); err != nil {
		return placed(file, err)
	}
	printWarnings(made)
	fmt.Printf("%s revision %v\n", cellOf(made, "name"), made["latestRevision"])
	if canary > 0 {
		return p.activate(ctx, name, cellOf(made, "latestRevision"), canary)
	}
	return nil
}

func (p push) validate(ctx context.Context, file string) error {
	_, body, err := p.body(file)
	if err != nil {
		return err
	}
	var answer object
	if err := p.call(ctx, http.MethodPost, "/templates/validate", body, &answer); err != nil {
		return placed(file, err)
	}
	printWarnings(answer)
	fmt.Printf("%s is well; the largest file of a sample phone has %v bytes\n", file, answer["bytes"])
	return nil
}

// placed puts the file's name before what is wrong with it.
func placed(file string, err error) error { return fmt.Errorf("%s: %w", file, err) }

func printWarnings(answer object) {
	list, _ := answer["warnings"].([]any)
	for _, w := range list {
		fmt.Fprintf(os.Stderr, "warning: %s %s: %s\n", cellOf(w, "code"), cellOf(w, "parameter"), cellOf(w, "detail"))
	}
}

// activate gives phones a revision, in waves when there is a canary.
func (c *apiClient) activate(ctx context.Context, name, revision string, canary int) error {
	var number int
	if _, err := fmt.Sscan(revision, &number); err != nil {
		return fmt.Errorf("%q is not the number of a revision", revision)
	}
	body := object{"revision": number}
	if canary > 0 {
		body["waves"] = object{"canary": canary}
	}
	var answer object
	if err := c.call(ctx, http.MethodPost, "/templates/"+url.PathEscape(name)+"/activate", body, &answer); err != nil {
		return err
	}
	if canary > 0 {
		return c.started(ctx, answer, false)
	}
	fmt.Printf("%s revision %d is active\n", name, number)
	return nil
}

// rollback gives phones another revision, without one the one before.
func (c *apiClient) rollback(ctx context.Context, name string, revision int) error {
	body := object{}
	if revision >= 0 {
		body["revision"] = revision
	}
	var answer object
	if err := c.call(ctx, http.MethodPost, "/templates/"+url.PathEscape(name)+"/rollback", body, &answer); err != nil {
		return err
	}
	if active, _ := answer["active"].(bool); active {
		fmt.Printf("%s revision %v is active\n", name, answer["revision"])
		return nil
	}
	fmt.Printf("%s: the built-in template is active\n", name)
	return nil
}
