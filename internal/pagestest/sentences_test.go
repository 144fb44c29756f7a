package pagestest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mostWords is how many words a sentence has at most.
const mostWords = 29

// Sentences are short: in paragraphs, in each item of a list and in each cell of a table. Code is none, and what a sentence shows as code
// counts as a word.
func TestSentencesAreShort(t *testing.T) {
	count := 0
	for _, p := range All(t) {
		for _, s := range p.Sentences() {
			count++
			if n := len(strings.Fields(s)); n > mostWords {
				t.Errorf("%s: a sentence has %d words, want at most %d: %s", p.Path, n, mostWords, s)
			}
		}
	}
	if count < 500 {
		t.Errorf("%d sentences were found, and there are more", count)
	}
}

func TestSentences(t *testing.T) {
	for text, want := range map[string][]string{
		"One. Two is\nlonger!\n\nThree":                          {"One.", "Two is longer!", "Three"},
		"# A title.\nBelow it.":                                  {"Below it."},
		"It says:\n\n- one;\n- two\n  goes on.\n1. Three.":       {"It says:", "one;", "two goes on.", "Three."},
		"| a. b | c |\n| --- | --- |\n| d | e. |":                {"a.", "b", "c", "d", "e."},
		"Run `a b. c` in [a *nice* place](x.md#y). Then go.":     {"Run CODE in a *nice* place.", "Then go."},
		"Before.\n\n    code. code\n\n```sh\ncode. code\n```\nX": {"Before.", "X"},
		"![a picture. With words](x.svg)\n\n1.5 GiB, v0.9.0.":    {"1.5 GiB, v0.9.0."},
		"**Bold.** After it. (In brackets.) Out.":                {"**Bold.**", "After it.", "(In brackets.)", "Out."},
	} {
		if got := (Page{Text: text}).Sentences(); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

var (
	picture   = regexp.MustCompile(`!\[[^\]]*\]\([^)]*\)`)
	linkText  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	item      = regexp.MustCompile(`^([-*]|[0-9]+\.) +`)
	separator = regexp.MustCompile(`^:?-+:?$`)
	sentence  = regexp.MustCompile(`(?s).*?[.!?][*")]*(?:\s+|$)|.+`)
)

// Sentences are those of the page's paragraphs, list items and cells, without the addresses of links.
func (p Page) Sentences() []string {
	var all, paragraph []string
	end := func() {
		text := linkText.ReplaceAllString(picture.ReplaceAllString(strings.Join(paragraph, " "), ""), "$1")
		for _, s := range sentence.FindAllString(codeSpan.ReplaceAllString(text, "CODE"), -1) {
			if s = strings.TrimSpace(s); s != "" {
				all = append(all, s)
			}
		}
		paragraph = nil
	}
	p.Lines(func(line string, fenced bool) {
		text := strings.TrimSpace(line)
		switch {
		case fenced, text == "", text == "---", headingLine.MatchString(line), strings.HasPrefix(line, "    "):
			end()
		case strings.HasPrefix(line, "|"):
			for cell := range strings.SplitSeq(text, "|") {
				end()
				if cell = strings.TrimSpace(cell); !separator.MatchString(cell) {
					paragraph = []string{cell}
				}
			}
			end()
		default:
			if item.MatchString(text) {
				end()
			}
			paragraph = append(paragraph, item.ReplaceAllString(text, ""))
		}
	})
	end()
	return all
}
