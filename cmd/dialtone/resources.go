package main

import (
	"context"
	"flag"
	"net/http"
	"net/url"
	"strings"
	"time"
)

func extensionsResource() resource {
	return resource{"extensions", []verb{
		{"list", "list extensions", nil, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, _ []string) error {
				return c.list(ctx, "/extensions", "extensions", "number", "name", "sipUsername", "createdAt")
			}
		}},
		show("print an extension", "/extensions/", "NUMBER"),
		{"create", "create an extension and print its password", []string{"NUMBER"}, func(fs *flag.FlagSet, c *apiClient) action {
			name := fs.String("name", "", "what others see")
			return func(ctx context.Context, o []string) error {
				return c.get(ctx, http.MethodPost, "/extensions", object{"number": o[0], "name": *name})
			}
		}},
		{"rotate", "give an extension a new password and print it", []string{"NUMBER"}, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, o []string) error {
				return c.get(ctx, http.MethodPost, "/extensions/"+url.PathEscape(o[0])+"/credentials", nil)
			}
		}},
		{"contacts", "list what rings", []string{"NUMBER"}, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, o []string) error {
				return c.list(ctx, "/extensions/"+url.PathEscape(o[0])+"/contacts", "contacts", "uri", "received", "transport", "userAgent", "expiresAt", "phoneId")
			}
		}},
		remove("delete", "delete an extension", "/extensions/", "NUMBER"),
		{"import", "create extensions from a CSV file", []string{"FILE"}, func(fs *flag.FlagSet, c *apiClient) action {
			dry := fs.Bool("dry-run", false, "check the rows and store nothing")
			return func(ctx context.Context, o []string) error {
				return c.importCSV(ctx, "/extensions/import", o[0], *dry)
			}
		}},
	}}
}

func keysResource() resource {
	return resource{"keys", []verb{
		{"list", "list API keys", nil, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, _ []string) error {
				return c.list(ctx, "/keys", "keys", "id", "name", "createdAt", "expiresAt", "lastUsed", "scopes")
			}
		}},
		{"create", "create an API key and print it once", []string{"NAME"}, func(fs *flag.FlagSet, c *apiClient) action {
			scopes := fs.String("scopes", "", "scopes with commas between")
			expires := fs.Duration("expires", 0, "how long the key is good; 0: for ever")
			return func(ctx context.Context, o []string) error {
				body := object{"name": o[0], "scopes": strings.Split(*scopes, ",")}
				if *expires > 0 {
					body["expiresAt"] = time.Now().Add(*expires).UTC().Format(time.RFC3339)
				}
				return c.get(ctx, http.MethodPost, "/keys", body)
			}
		}},
		remove("revoke", "revoke an API key", "/keys/", "ID"),
	}}
}

func jobsResource() resource {
	order := func(name, help string) verb {
		return verb{name, help, []string{"ID"}, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, o []string) error {
				return c.get(ctx, http.MethodPost, "/jobs/"+url.PathEscape(o[0])+"/"+name, nil)
			}
		}}
	}
	return resource{"jobs", []verb{
		{"list", "list jobs, the newest first", nil, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, _ []string) error {
				return c.list(ctx, "/jobs", "jobs", "id", "kind", "state", "counts.total", "counts.succeeded", "counts.failed", "createdAt", "reason")
			}
		}},
		show("print a job", "/jobs/", "ID"),
		{"phones", "list the phones of a job", []string{"ID"}, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, o []string) error {
				return c.list(ctx, "/jobs/"+url.PathEscape(o[0])+"/phones", "phones", "phoneId", "wave", "state", "outcome", "reason")
			}
		}},
		{"watch", "show how a job goes until it ends or halts", []string{"ID"}, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, o []string) error { return c.watch(ctx, o[0]) }
		}},
		order("pause", "begin no more phones"), order("resume", "go on"), order("abort", "end a job"),
	}}
}

// firmwareResource has the verbs of firmware.go.
func firmwareResource() resource {
	r := resource{name: "firmware"}
	for _, v := range []struct {
		name, help string
		operands   []string
	}{
		{"upload", "upload an image", []string{"FILE"}},
		{"list", "list images", nil},
		{"delete", "delete an image", []string{"ID"}},
		{"target", "say which phones run an image", []string{"ID"}},
	} {
		r.verbs = append(r.verbs, verb{v.name, v.help, v.operands, func(fs *flag.FlagSet, c *apiClient) action {
			return firmwareVerb(v.name, fs, c)
		}})
	}
	return r
}
