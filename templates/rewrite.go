package templates

import (
	"fmt"
	"maps"
	"slices"
	"text/template/parse"
)

// maxNesting bounds {{if}}, {{range}} and {{with}} inside each other, and how many
// templates call each other in a row.
const maxNesting = 32

// maxTemplates bounds the files and definitions of a vendor.
const maxTemplates = 1000

// secure rewrites all templates of a dialect so that every action ends in an
// escaper, and refuses what could run for ever: templates that call themselves.
func (c *compiler) secure() error {
	calls := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(c.trees)) {
		tree := c.trees[name]
		w := &rewriter{dialect: c.dialect, place: func(n parse.Node) position {
			return c.place(tree.ParseName, int(n.Position()))
		}}
		if err := w.list(tree.Root, 0); err != nil {
			return err
		}
		calls[name] = w.calls
		if w.raw {
			c.raw = append(c.raw, tree.ParseName)
		}
	}
	depths := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		if err := bounded(calls, depths, name); err != nil {
			return &Error{Name: c.trees[name].ParseName, Line: 1, Column: 1, Reason: err.Error()}
		}
	}
	return nil
}

type rewriter struct {
	dialect dialect
	place   func(parse.Node) position
	calls   []string // templates that this one calls
	raw     bool     // an action writes something as it is
}

func (w *rewriter) list(l *parse.ListNode, depth int) error {
	if l == nil {
		return nil
	}
	if depth > maxNesting {
		return w.place(l).errorf("nested deeper than %d", maxNesting)
	}
	for _, n := range l.Nodes {
		if err := w.node(n, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *rewriter) node(n parse.Node, depth int) error {
	switch n := n.(type) {
	case *parse.ActionNode:
		w.action(n)
	case *parse.IfNode:
		return w.branch(&n.BranchNode, depth)
	case *parse.WithNode:
		return w.branch(&n.BranchNode, depth)
	case *parse.RangeNode:
		return w.branch(&n.BranchNode, depth)
	case *parse.TemplateNode:
		w.calls = append(w.calls, n.Name)
	case *parse.TextNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode:
	default:
		return w.place(n).errorf("%T is not understood", n)
	}
	return nil
}

func (w *rewriter) branch(b *parse.BranchNode, depth int) error {
	if err := w.list(b.List, depth+1); err != nil {
		return err
	}
	return w.list(b.ElseList, depth+1)
}

// action appends the dialect's escaper unless the pipeline writes nothing (it only
// sets a variable) or already ends in an escaper.
func (w *rewriter) action(n *parse.ActionNode) {
	w.raw = w.raw || lastName(n.Pipe) == escRaw
	if len(n.Pipe.Decl) > 0 || slices.Contains(w.dialect.escapers, lastName(n.Pipe)) {
		return
	}
	n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
		NodeType: parse.NodeCommand,
		Pos:      n.Pos,
		Args:     []parse.Node{parse.NewIdentifier(w.dialect.escapers[0]).SetTree(nil).SetPos(n.Pos)},
	})
}

// lastName is the function that gives a pipeline its value; empty when the last
// command is not a call of a function.
func lastName(p *parse.PipeNode) string {
	args := p.Cmds[len(p.Cmds)-1].Args
	if id, ok := args[0].(*parse.IdentifierNode); ok {
		return id.Ident
	}
	return ""
}

// bounded follows the calls from a template, each template once. depths is how many
// templates call each other in a row from one on, 0 while that is being found out.
func bounded(calls map[string][]string, depths map[string]int, name string) error {
	if len(depths) > maxTemplates {
		return fmt.Errorf("there are more than %d templates", maxTemplates)
	}
	depths[name] = 0
	deepest := 0
	for _, next := range calls[name] {
		depth, seen := depths[next]
		if seen && depth == 0 {
			return fmt.Errorf("template %.60q calls itself", next)
		}
		if !seen {
			if err := bounded(calls, depths, next); err != nil {
				return err
			}
			depth = depths[next]
		}
		deepest = max(deepest, depth)
	}
	if deepest >= maxNesting {
		return fmt.Errorf("templates call each other more than %d deep", maxNesting)
	}
	depths[name] = 1 + deepest
	return nil
}
