package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A team's own policy is mostly an earlier version's with changes: every shipped one still loads, and is told what came since.
func TestEarlierPoliciesStillLoad(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.cedar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got %q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Load(file, text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, id := range p.Lacks() {
			if p.set.Get("contain-stolen-key") == nil || strings.Contains(string(text), `@id("`+id+`")`) {
				t.Errorf("%s lacks %s", file, id)
			}
		}
	}
}

func TestWhatAPolicyLacks(t *testing.T) {
	if got := Shipped().Lacks(); len(got) > 0 {
		t.Errorf("the shipped policy lacks %q", got)
	}
	without := strings.Replace(string(ShippedText()), `@id("ask-manual")`, `@id("mine")`, 1)
	p, err := Load("mine.cedar", []byte(without))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Lacks(); len(got) != 1 || got[0] != "ask-manual" {
		t.Errorf("got %q, want ask-manual", got)
	}
}
