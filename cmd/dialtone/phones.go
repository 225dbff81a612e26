package main

import (
	"context"
	"flag"
	"net/http"
	"net/url"
	"os"
	"strings"
)

func phonesResource() resource {
	return resource{"phones", []verb{
		{"list", "list phones", nil, func(fs *flag.FlagSet, c *apiClient) action {
			filters := map[string]*string{}
			for name, help := range map[string]string{
				"registered": "true or false", "manufacturer": "of this vendor", "model": "of this model", "q": "that hold this text", "state": "in this state", "drift": "true, false or a kind",
			} {
				filters[name] = fs.String(name, "", help)
			}
			return func(ctx context.Context, _ []string) error {
				q := url.Values{}
				for name, v := range filters {
					if *v != "" {
						q.Set(name, *v)
					}
				}
				return c.list(ctx, "/phones?"+q.Encode(), "phones", "id", "macAddress", "manufacturer", "model", "extensionNumber", "extensionName", "registered", "state", "firmwareVersion")
			}
		}},
		phonesShow("show", "print a phone", ""),
		phonesShow("timeline", "print what happened to a phone and where it is stuck", "/timeline"),
		{"create", "provision a phone", []string{"MAC"}, newPhone},
		{"adopt", "give a phone that waits an extension", []string{"ID", "EXTENSION"}, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, o []string) error {
				return c.ofPhone(ctx, http.MethodPost, o[0], "/adopt", object{"extensionNumber": o[1]})
			}
		}},
		{"replace", "move everything of a phone to another one", []string{"ID", "MAC"}, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, o []string) error {
				return c.ofPhone(ctx, http.MethodPost, o[0], "/replace", object{"macAddress": o[1]})
			}
		}},
		{"delete", "delete a phone", []string{"ID"}, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, o []string) error {
				path, err := c.phonePath(ctx, o[0])
				if err != nil {
					return err
				}
				return c.call(ctx, http.MethodDelete, path, nil, nil)
			}
		}},
		{"export", "print the provisioned phones as a CSV file", nil, func(_ *flag.FlagSet, c *apiClient) action {
			return func(ctx context.Context, _ []string) error {
				return c.call(ctx, http.MethodGet, "/phones/export", nil, os.Stdout)
			}
		}},
		{"import", "create phones from a CSV file", []string{"FILE"}, func(fs *flag.FlagSet, c *apiClient) action {
			dry := fs.Bool("dry-run", false, "check the rows and store nothing")
			return func(ctx context.Context, o []string) error { return c.importCSV(ctx, "/phones/import", o[0], *dry) }
		}},
		{"config", "print a file of a phone, secrets masked; empty FILE: their names", []string{"ID", "FILE"}, func(fs *flag.FlagSet, c *apiClient) action {
			explain := fs.Bool("explain", false, "say where each line comes from")
			return func(ctx context.Context, o []string) error { return c.config(ctx, o[0], o[1], *explain) }
		}},
		phonesJob("resync", "tell a phone to fetch its configuration and wait for it; - and filters: many"),
		phonesJob("reboot", "tell a phone to restart and wait for it; - and filters: many"),
	}}
}

// phonesJob makes the verbs that start a job and watch it.
func phonesJob(name, help string) verb {
	return verb{name, help, []string{"ID"}, func(fs *flag.FlagSet, c *apiClient) action {
		filter := object{}
		for _, n := range []string{"manufacturer", "model", "site", "q"} {
			if n != "site" {
				fs.Func(n, "with - for the ID: of this "+n, func(v string) error { filter[n] = v; return nil })
			}
		}
		all := fs.Bool("all", false, "with - for the ID: all phones")
		detach := fs.Bool("detach", false, "do not wait for the end of the job")
		canary := fs.Int("canary", 0, "with - for the ID: begin with so many phones")
		return func(ctx context.Context, o []string) error {
			var body any
			path, err := "/phones", error(nil)
			if o[0] == "-" {
				if len(filter) == 0 && !*all {
					return errAll
				}
				body = object{"filter": filter, "waves": object{"canary": *canary}}
			} else if path, err = c.phonePath(ctx, o[0]); err != nil {
				return err
			}
			path += "/" + name
			var job object
			if err := c.call(ctx, http.MethodPost, path, body, &job); err != nil {
				return err
			}
			return c.started(ctx, job, *detach)
		}
	}}
}

// phonePath is the path of a phone that is named by its id or by its MAC address.
func (c *apiClient) phonePath(ctx context.Context, name string) (string, error) {
	path := "/phones/" + url.PathEscape(name)
	if strings.HasPrefix(name, "phone_") {
		return path, nil
	}
	var found struct{ Phones []struct{ ID string } }
	err := c.call(ctx, http.MethodGet, "/phones?macAddress="+url.QueryEscape(name), nil, &found)
	switch {
	case isStatus(err, http.StatusUnprocessableEntity), err == nil && len(found.Phones) == 0:
		return path, nil // the API says that there is none
	case err != nil:
		return "", err
	}
	return "/phones/" + url.PathEscape(found.Phones[0].ID), nil
}

// ofPhone asks for something of a phone and prints the answer.
func (c *apiClient) ofPhone(ctx context.Context, method, name, what string, body any) error {
	path, err := c.phonePath(ctx, name)
	if err != nil {
		return err
	}
	return c.get(ctx, method, path+what, body)
}

// phonesShow makes a verb that prints something of a phone.
func phonesShow(name, help, what string) verb {
	return verb{name, help, []string{"ID"}, func(_ *flag.FlagSet, c *apiClient) action {
		return func(ctx context.Context, o []string) error { return c.ofPhone(ctx, http.MethodGet, o[0], what, nil) }
	}}
}

// newPhone is "dialtone phones create MAC".
func newPhone(fs *flag.FlagSet, c *apiClient) action {
	extensions := fs.String("extension", "", "extensions of its lines, with commas")
	fields := map[string]*string{}
	for name, help := range map[string]string{
		"model": "model, as T46S", "name": "what people call it", "site": "where it stands",
		"manufacturer": "polycom, yealink or grandstream; may be left out when the MAC address tells",
	} {
		fields[name] = fs.String(name, "", help)
	}
	return func(ctx context.Context, o []string) error {
		body := object{"macAddress": o[0]}
		for name, v := range fields {
			if *v != "" {
				body[name] = *v
			}
		}
		if *extensions != "" {
			var lines []object
			for i, number := range strings.Split(*extensions, ",") {
				lines = append(lines, object{"line": i + 1, "extensionNumber": strings.TrimSpace(number)})
			}
			body["lines"] = lines
		}
		return c.get(ctx, http.MethodPost, "/phones", body)
	}
}
