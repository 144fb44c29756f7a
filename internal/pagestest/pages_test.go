package pagestest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"nightlatch/internal/version"
)

// The pages that there are, beside the tests' events.
var wanted = []string{"README.md", "infra/README.md", "lambdas/README.md", "internal/README.md", "internal/policy/README.md", "internal/evidence/README.md", "events/README.md",
	"SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"}

func TestThePagesAreThere(t *testing.T) {
	var all []string
	for _, p := range All(t) {
		all = append(all, p.Path)
	}
	Same(t, "pages", all, wanted)
}

// The version that is built has its section.
func TestTheChangeLogKnowsTheVersion(t *testing.T) {
	if p := Read(t, "CHANGELOG.md"); strings.TrimSpace(p.Section("## "+version.Release)) == "" {
		t.Errorf("%s says nothing of version %s", p.Path, version.Release)
	}
}

// Somebody knows in five minutes what it is.
func TestTheReadmeIsShort(t *testing.T) {
	text := Read(t, "README.md").Text
	if lines, words := strings.Count(text, "\n"), len(strings.Fields(text)); lines > 200 || words > 1500 {
		t.Errorf("README.md has %d lines and %d words, want at most 200 and 1500: the rest belongs to the page that describes it", lines, words)
	}
}

// Lines are short but for tables, code, and a link that cannot be broken.
func TestLinesAreShort(t *testing.T) {
	for _, p := range All(t) {
		number := 0
		p.Lines(func(line string, fenced bool) {
			number++
			if !fenced && p.Path != "events/README.md" && !strings.HasPrefix(line, "|") && utf8.RuneCountInString(line) >= 120 && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%s:%d has %d characters, want under 120", p.Path, number, utf8.RuneCountInString(line))
			}
		})
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every relative link leads to a file, and one with a # to a heading of it.
func TestLinks(t *testing.T) {
	root, count := Root(t), 0
	for _, p := range All(t) {
		for _, m := range link.FindAllStringSubmatch(p.Text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			count++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := p.Path
			if file != "" {
				target = path.Join(path.Dir(p.Path), file)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil || strings.HasPrefix(target, "..") {
				t.Errorf("%s links to %s, which is not there", p.Path, m[1])
				continue
			}
			if anchor != "" && !anchors(Read(t, target))[anchor] {
				t.Errorf("%s links to %s, and %s has no such heading", p.Path, m[1], target)
			}
		}
	}
	if count < 50 {
		t.Errorf("%d links were found, and there are more", count)
	}
}

// anchors are the names of a page's headings as GitHub makes them.
func anchors(p Page) map[string]bool {
	all := map[string]bool{}
	for level := 1; level <= 6; level++ {
		for _, h := range p.Headings(level) {
			name := strings.Map(func(r rune) rune {
				switch {
				case r == ' ':
					return '-'
				case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
					return unicode.ToLower(r)
				}
				return -1
			}, h)
			for base, n := name, 1; all[name]; n++ {
				name = fmt.Sprintf("%s-%d", base, n)
			}
			all[name] = true
		}
	}
	return all
}

// The README's commands run in a fresh clone, and what it shows of their output is what they print.
func TestTheReadmesCommandsRun(t *testing.T) {
	readme, clone := Read(t, "README.md"), t.TempDir()
	export := exec.Command("git", "checkout-index", "--all", "--prefix", clone+"/")
	export.Dir = Root(t)
	if out, err := export.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, the README's commands: there is no git checkout here to take a fresh copy of: %v: %s", err, out)
	}
	var out bytes.Buffer
	blocks := readme.Blocks("sh")
	for _, block := range blocks {
		cmd := exec.CommandContext(t.Context(), "sh", "-e")
		cmd.Dir, cmd.Stdin, cmd.Stdout = clone, strings.NewReader(block), &out
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", block, err, said.String())
		}
	}
	if len(blocks) < 2 {
		t.Errorf("the README has %d blocks of commands, want the demo and an answer", len(blocks))
	}
	for _, block := range readme.Blocks("text") {
		for line := range strings.Lines(block) {
			if !strings.Contains(out.String(), line) {
				t.Errorf("the README shows a line that its commands do not print: %s", line)
			}
		}
	}
}
