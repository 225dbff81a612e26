package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"pbx.dev/dialtone/internal/app"
)

const keyUsage = `usage: dialtone key create [--name TEXT] [--scopes LIST] [--expires DURATION] [settings]
       dialtone key list [settings]
       dialtone key revoke ID [settings]

It works on the database itself, without a running server and without a key.
`

// key runs "dialtone key create|list|revoke". It works on the database itself,
// so that an administrator without a key can make one.
func key(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("key: create, list or revoke?")
	}
	switch args[0] {
	case "create", "list", "revoke":
	case "-h", "-help", "--help", "help":
		fmt.Fprint(os.Stderr, keyUsage)
		return flag.ErrHelp
	default:
		return fmt.Errorf("key: no command %q; create, list or revoke", args[0])
	}
	var name, scopes, id string
	if args[0] == "revoke" && len(args) > 1 && !strings.HasPrefix(args[1], "-") {
		args = append([]string{"revoke", "--id", args[1]}, args[2:]...) // "key revoke ID" does as well
	}
	var expires time.Duration
	cfg, err := loadConfig("key "+args[0], args[1:], func(fs *flag.FlagSet) {
		switch args[0] {
		case "create":
			fs.StringVar(&name, "name", "", "what the key is for")
			fs.StringVar(&scopes, "scopes", "", "scopes with commas between; empty: all")
			fs.DurationVar(&expires, "expires", 0, "how long the key is good; 0: for ever")
		case "revoke":
			fs.StringVar(&id, "id", "", "key to revoke, as list shows it")
		}
	})
	if err != nil {
		return err
	}
	keys, err := app.OpenKeys(ctx, cfg, args[0] == "create")
	if err != nil {
		return err
	}
	switch args[0] {
	case "create":
		err = createKey(ctx, keys, name, scopes, expires)
	case "list":
		err = listKeys(ctx, keys)
	case "revoke":
		err = keys.Revoke(ctx, id)
	}
	return errors.Join(err, keys.Close())
}

func createKey(ctx context.Context, keys *app.Keys, name, scopes string, expires time.Duration) error {
	var list []string
	if scopes != "" {
		list = strings.Split(scopes, ",")
	}
	var until time.Time
	if expires > 0 {
		until = time.Now().Add(expires)
	}
	_, text, err := keys.Create(ctx, name, list, until)
	if err != nil {
		return err
	}
	fmt.Println(text.Reveal())
	return nil
}

func listKeys(ctx context.Context, keys *app.Keys) error {
	list, err := keys.List(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tCREATED\tEXPIRES\tLAST USED\tSCOPES")
	for _, k := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, cmp.Or(k.Name, "-"), day(k.CreatedAt), day(k.ExpiresAt), day(k.LastUsed), strings.Join(k.Scopes, ","))
	}
	return w.Flush()
}

func day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}
