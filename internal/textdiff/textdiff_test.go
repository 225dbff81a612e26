package textdiff

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestUnified(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, a, b, want string }{
		{"same", "a\nb\n", "a\nb\n", ""},
		{"changed", "a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
		{"added", "", "a\n", "@@ -0,0 +1,1 @@\n+a\n"},
		{"removed", "a\nb\n", "b\n", "@@ -1,2 +1,1 @@\n-a\n b\n"},
		{
			"two places", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "x\n2\n3\n4\n5\n6\n7\n8\ny\n",
			"@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+y\n",
		},
	} {
		if got := Unified(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

var text = rapid.Custom(func(t *rapid.T) string {
	list := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "", "e f"}), 0, 12).Draw(t, "lines")
	if len(list) == 0 {
		return ""
	}
	return strings.Join(list, "\n") + "\n"
})

// What Unified writes turns the one text into the other by patch(1)'s rules.
func TestUnifiedApplies(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		if got := apply(t, a, Unified(a, b)); got != b {
			t.Fatalf("%q became %q", a, got)
		}
	})
}

// apply is patch(1) for whole hunks.
func apply(t *rapid.T, from, diff string) string {
	old, out, at := lines(from), []string(nil), 0
	for _, line := range lines(diff) {
		switch line[0] {
		case '@':
			start := 0
			for _, c := range strings.SplitN(line[4:], ",", 2)[0] {
				start = start*10 + int(c-'0')
			}
			if !strings.HasPrefix(line[4+len(strings.SplitN(line[4:], ",", 2)[0]):], ",0 ") {
				start--
			}
			out = append(out, old[at:start]...)
			at = start
		case ' ', '-':
			if old[at] != line[1:] {
				t.Fatalf("line %d is %q, the hunk has %q", at, old[at], line)
			}
			if line[0] == ' ' {
				out = append(out, old[at])
			}
			at++
		case '+':
			out = append(out, line[1:])
		}
	}
	out = append(out, old[at:]...)
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, "\n") + "\n"
}

func TestMerge(t *testing.T) {
	t.Parallel()
	const base = "one\ntwo\nthree\nfour\n"
	for _, tt := range []struct {
		name, ours, theirs, want string
		conflicts                int
	}{
		{"neither", base, base, base, 0},
		{"ours", "one\nTWO\nthree\nfour\n", base, "one\nTWO\nthree\nfour\n", 0},
		{"theirs", base, "one\ntwo\nthree\nfour\nfive\n", "one\ntwo\nthree\nfour\nfive\n", 0},
		{"both, apart", "ONE\ntwo\nthree\nfour\n", "one\ntwo\nthree\nFOUR\n", "ONE\ntwo\nthree\nFOUR\n", 0},
		{"both, the same", "one\nX\nthree\nfour\n", "one\nX\nthree\nfour\n", "one\nX\nthree\nfour\n", 0},
		{
			"both, differently", "one\nX\nthree\nfour\n", "one\nY\nthree\nfour\n",
			"one\n" + MarkOurs + "\nX\n" + MarkMiddle + "\nY\n" + MarkTheirs + "\nthree\nfour\n", 1,
		},
		{"removed", "one\nthree\nfour\n", "one\ntwo\nthree\nfour\nfive\n", "one\nthree\nfour\nfive\n", 0},
	} {
		got, conflicts := Merge(base, tt.ours, tt.theirs)
		if got != tt.want || conflicts != tt.conflicts {
			t.Errorf("%s: %q, %d conflicts, want %q, %d", tt.name, got, conflicts, tt.want, tt.conflicts)
		}
	}
}

// A merge with one side unchanged is the other side; without conflicts it has no
// marks; git agrees on what has no conflict.
func TestMergeLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base, other := text.Draw(t, "base"), text.Draw(t, "other")
		if got, n := Merge(base, other, base); got != other || n > 0 {
			t.Fatalf("ours alone: %q, %d", got, n)
		}
		if got, n := Merge(base, base, other); got != other || n > 0 {
			t.Fatalf("theirs alone: %q, %d", got, n)
		}
		third := text.Draw(t, "third")
		if got, n := Merge(base, other, third); (n > 0) != strings.Contains(got, MarkOurs) {
			t.Fatalf("%d conflicts in %q", n, got)
		}
	})
}

// TestMergeAsGit compares with git merge-file on a text of some length.
func TestMergeAsGit(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	var base []string
	for i := range 60 {
		base = append(base, "line "+strings.Repeat("x", i%7)+string(rune('a'+i%26)))
	}
	ours, theirs := slices.Concat([]string{"first"}, base), slices.Concat(base[:50], []string{"new"})
	dir := t.TempDir()
	write := func(name string, list []string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(strings.Join(list, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	out, err := exec.Command(git, "merge-file", "-p", write("ours", ours), write("base", base), write("theirs", theirs)).Output()
	if err != nil {
		t.Fatal(err)
	}
	join := func(list []string) string { return strings.Join(list, "\n") + "\n" }
	if got, n := Merge(join(base), join(ours), join(theirs)); n != 0 || got != string(out) {
		t.Errorf("merged with %d conflicts:\n%s\ngit:\n%s", n, got, out)
	}
}
