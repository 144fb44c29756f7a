// Package pagestest reads the project's pages for the tests that hold them: what the code has must stand in its page, and a page must name
// nothing that the code does not have. https://github.github.com/gfm/
package pagestest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Page is one Markdown file of the repository.
type Page struct {
	// Path is its path from the repository's root, with slashes.
	Path string
	Text string
}

// Root is the repository's root, from whatever package a test runs in.
func Root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above this package")
		}
		dir = filepath.Dir(dir)
	}
}

// Read reads one page.
func Read(t *testing.T, path string) Page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Root(t), filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return Page{path, string(text)}
}

// All reads every page that people write: not others' licences, and nothing below node_modules, testdata or a folder that begins with a dot.
func All(t *testing.T) []Page {
	t.Helper()
	root := Root(t)
	var pages []Page
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (name == "node_modules" || name == "cdk.out" || name == "testdata" || strings.HasPrefix(name, ".")):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ".md") && name != "NOTICES.md":
			rel, err := filepath.Rel(root, path)
			pages = append(pages, Read(t, filepath.ToSlash(rel)))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// Lines are the page's lines with whether each stands in a fenced block.
func (p Page) Lines(each func(line string, fenced bool)) {
	fenced := false
	for line := range strings.Lines(p.Text) {
		line = strings.TrimSuffix(line, "\n")
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		each(line, fenced || fence)
		if fence {
			fenced = !fenced
		}
	}
}

// Blocks are the fenced blocks of a language, without their fences and the indent of the first.
func (p Page) Blocks(language string) []string {
	var blocks []string
	for _, m := range fencedBlock.FindAllStringSubmatch(p.Text, -1) {
		if m[2] == language {
			blocks = append(blocks, strings.ReplaceAll(m[3], "\n"+m[1], "\n"))
		}
	}
	return blocks
}

var fencedBlock = regexp.MustCompile("(?ms)^( *)```([a-z]*)\n(.*?)^ *```$")

// Section is what stands below a heading, up to the next one of its level or above; "" where there is no such heading.
func (p Page) Section(heading string) string {
	var in bool
	var b strings.Builder
	level := strings.Count(strings.SplitN(heading, " ", 2)[0], "#")
	p.Lines(func(line string, fenced bool) {
		if m := headingLine.FindStringSubmatch(line); m != nil && !fenced && (len(m[1]) <= level || !in) {
			in = line == heading
			return
		}
		if in {
			b.WriteString(line + "\n")
		}
	})
	return b.String()
}

var headingLine = regexp.MustCompile(`^(#+) +(.*)$`)

// Headings are the texts of the headings of a level.
func (p Page) Headings(level int) []string {
	var all []string
	p.Lines(func(line string, fenced bool) {
		if m := headingLine.FindStringSubmatch(line); m != nil && !fenced && len(m[1]) == level {
			all = append(all, m[2])
		}
	})
	return all
}

// Column is the code in the first cell of each row of the tables whose first heading is this one.
func (p Page) Column(heading string) []string {
	var in bool
	var all []string
	p.Lines(func(line string, fenced bool) {
		cells := strings.Split(line, "|")
		switch {
		case fenced || len(cells) < 3 || !strings.HasPrefix(line, "|"):
			in = false
		case strings.TrimSpace(cells[1]) == heading:
			in = true
		case in:
			for _, m := range codeSpan.FindAllStringSubmatch(cells[1], -1) {
				all = append(all, m[1])
			}
		}
	})
	return all
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// Code is what the page shows as code: spans, fenced blocks, and lines with an indent of four.
func (p Page) Code() []string {
	var all []string
	p.Lines(func(line string, fenced bool) {
		if fenced || strings.HasPrefix(line, "    ") {
			all = append(all, strings.TrimSpace(line))
			return
		}
		for _, m := range codeSpan.FindAllStringSubmatch(line, -1) {
			all = append(all, m[1])
		}
	})
	return all
}

// Same fails where a page and the code do not name the same things.
func Same(t *testing.T, what string, page, code []string) {
	t.Helper()
	for _, name := range code {
		if !slices.Contains(page, name) {
			t.Errorf("%s: the page does not name %s", what, name)
		}
	}
	for _, name := range page {
		if !slices.Contains(code, name) {
			t.Errorf("%s: the page names %s, which does not exist", what, name)
		}
	}
	if len(code) == 0 {
		t.Errorf("%s: nothing was found in the code", what)
	}
}
