package templates

import (
	"fmt"
	"slices"
	"text/template"
	"text/template/parse"
)

// maxNesting bounds {{if}}, {{range}} and {{with}} inside each other, and how many
// templates call each other in a row.
const maxNesting = 32

// secure rewrites all templates of a dialect so that every action ends in an
// escaper, and refuses what could run for ever: templates that call themselves.
func secure(root *template.Template, d dialect) error {
	calls := map[string][]string{}
	for _, t := range root.Templates() {
		if t.Tree == nil {
			continue
		}
		w := &rewriter{dialect: d}
		if err := w.list(t.Root, 0); err != nil {
			return fmt.Errorf("template: %s:%w", t.Name(), err)
		}
		calls[t.Name()] = w.calls
	}
	for name := range calls {
		if err := bounded(calls, []string{name}); err != nil {
			return err
		}
	}
	return nil
}

type rewriter struct {
	dialect dialect
	calls   []string // templates that this one calls
}

func (w *rewriter) list(l *parse.ListNode, depth int) error {
	if l == nil {
		return nil
	}
	if depth > maxNesting {
		return fmt.Errorf("1: nested deeper than %d", maxNesting)
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
		// An empty text at the head of the body is a write of nothing, which the
		// limiting writer counts: a loop without output ends as well.
		tick := &parse.TextNode{NodeType: parse.NodeText, Pos: n.Pos}
		n.List.Nodes = slices.Insert(n.List.Nodes, 0, parse.Node(tick))
		return w.branch(&n.BranchNode, depth)
	case *parse.TemplateNode:
		w.calls = append(w.calls, n.Name)
	case *parse.TextNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode:
	default:
		return fmt.Errorf("1: %T is not understood", n)
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

// bounded follows the calls from the last template of path.
func bounded(calls map[string][]string, path []string) error {
	if len(path) > maxNesting {
		return fmt.Errorf("template: %s:1: templates call each other more than %d deep", path[0], maxNesting)
	}
	for _, next := range calls[path[len(path)-1]] {
		if slices.Contains(path, next) {
			return fmt.Errorf("template: %s:1: template %q calls itself", path[0], next)
		}
		if err := bounded(calls, append(slices.Clip(path), next)); err != nil {
			return err
		}
	}
	return nil
}
