package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Flags collects the settings given on a command line; they are applied last.
type Flags struct {
	File  string // --config
	given []given
}

type given struct{ path, text string }

// Register adds --config and one flag per setting ("--sip.udp", and "--redis.url_file"
// for secrets) to fs.
func (f *Flags) Register(fs *flag.FlagSet) {
	fs.StringVar(&f.File, "config", os.Getenv("DIALTONE_CONFIG"), "YAML `file` with settings")
	c := Default()
	says := comments(string(example))
	for _, s := range settings(&c) {
		help := says[s.path]
		if text := s.text(); text != "" {
			help += " (default " + text + ")"
		}
		add := func(path, help string) {
			keep := func(text string) error {
				f.given = append(f.given, given{path, text})
				return nil
			}
			if _, isBool := s.value.Interface().(bool); isBool {
				fs.BoolFunc(path, help, keep)
				return
			}
			fs.Func(path, help, keep)
		}
		add(s.path, help)
		if s.secret() {
			add(s.path+"_file", "File with "+s.path+".")
		}
	}
}

// Load returns the configuration from defaults, f.File, environ ("NAME=value"
// entries) and the flags in f. All mistakes are reported at once, each with the
// path of its setting.
func Load(f Flags, environ []string) (Config, error) {
	c := Default()
	if f.File != "" {
		b, err := os.ReadFile(f.File)
		if err != nil {
			return Config{}, fmt.Errorf("read configuration: %w", err)
		}
		if err := Parse(&c, b); err != nil {
			return Config{}, fmt.Errorf("%s: %w", f.File, err)
		}
	}
	errs := applyEnv(&c, environ)
	errs = append(errs, applyFlags(&c, f.given)...)
	if err := errors.Join(errs...); err != nil {
		return Config{}, err
	}
	return c, c.Validate()
}

// Parse reads YAML over c. Unknown keys are errors that name line and column.
func Parse(c *Config, text []byte) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return fmt.Errorf("%s", yaml.FormatError(err, false, true))
	}
	known := map[string]setting{}
	for _, s := range settings(c) {
		known[s.path] = s
		if s.secret() {
			known[s.path+"_file"] = s
		}
	}
	var errs []error
	read := false
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if read {
			return errors.New("the file has more than one YAML document")
		}
		read = true
		errs = append(errs, readNode(known, "", doc.Body)...)
	}
	return errors.Join(errs...)
}

// readNode walks mappings down to the settings. The settings are read from the
// tree rather than into the struct, so that file, environment and flags share
// one reader and one form of message.
func readNode(known map[string]setting, path string, node ast.Node) []error {
	var values []*ast.MappingValueNode
	switch n := node.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return []error{at(node, "%s is not a section of settings", nameOf(path))}
	}
	var errs []error
	seen := map[string]bool{}
	for _, v := range values {
		key := strings.TrimPrefix(path+"."+v.Key.GetToken().Value, ".")
		if seen[key] {
			errs = append(errs, at(v, "%s is given twice", key))
		}
		seen[key] = true
		s, leaf := known[key]
		switch {
		case leaf:
			if err := readLeaf(s, key, v.Value); err != nil {
				errs = append(errs, at(v, "%s: %v", key, err))
			}
		case isSection(known, key):
			errs = append(errs, readNode(known, key, v.Value)...)
		default:
			errs = append(errs, at(v, "unknown setting %s", key))
		}
	}
	for key := range seen {
		if base, ok := strings.CutSuffix(key, "_file"); ok && seen[base] {
			errs = append(errs, fmt.Errorf("%s and %s are both given", base, key))
		}
	}
	return errs
}

func readLeaf(s setting, key string, node ast.Node) error {
	var text string
	switch n := node.(type) {
	case *ast.SequenceNode:
		if _, ok := s.value.Interface().([]string); !ok {
			return errors.New("wants one value, not a list")
		}
		list := []string{}
		for _, v := range n.Values {
			list = append(list, v.GetToken().Value)
		}
		text = strings.Join(list, ",")
	case *ast.NullNode:
		return nil
	case ast.ScalarNode:
		text = n.GetToken().Value
	default:
		return errors.New("wants a value, not a section")
	}
	if strings.HasSuffix(key, "_file") && s.path != key {
		return s.setFile(text)
	}
	return s.set(text)
}

func isSection(known map[string]setting, key string) bool {
	for path := range known {
		if strings.HasPrefix(path, key+".") {
			return true
		}
	}
	return false
}

func nameOf(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func at(node ast.Node, format string, args ...any) error {
	p := node.GetToken().Position
	if v, ok := node.(*ast.MappingValueNode); ok {
		p = v.Key.GetToken().Position
	}
	return fmt.Errorf("line %d, column %d: %s", p.Line, p.Column, fmt.Sprintf(format, args...))
}

func applyEnv(c *Config, environ []string) []error {
	var errs []error
	for _, s := range settings(c) {
		text, given := lookup(environ, s.env())
		file, fileGiven := "", false
		if s.secret() {
			file, fileGiven = lookup(environ, s.env()+"_FILE")
		}
		var err error
		switch {
		case given && fileGiven:
			err = errors.New("given together with " + s.env() + "_FILE")
		case given:
			err = s.set(text)
		case fileGiven:
			err = s.setFile(file)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.env(), err))
		}
	}
	return errs
}

// UnknownEnv returns the names in environ that look like settings and are none.
// They are warned about rather than refused: Kubernetes, for one, puts
// DIALTONE_PORT into the environment beside a service of that name.
func UnknownEnv(environ []string) []string {
	c := Default()
	known := map[string]bool{"DIALTONE_CONFIG": true}
	for _, s := range settings(&c) {
		known[s.env()] = true
		known[s.env()+"_FILE"] = s.secret()
	}
	var unknown []string
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "DIALTONE_") && !known[name] {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

func lookup(environ []string, name string) (string, bool) {
	for i := len(environ) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(environ[i], "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

func applyFlags(c *Config, flags []given) []error {
	byPath := map[string]setting{}
	for _, s := range settings(c) {
		byPath[s.path] = s
	}
	var errs []error
	for _, g := range flags {
		s, ok := byPath[g.path]
		set := s.set
		if !ok {
			s = byPath[strings.TrimSuffix(g.path, "_file")]
			set = s.setFile
		}
		if err := set(g.text); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", g.path, err))
		}
	}
	return errs
}
