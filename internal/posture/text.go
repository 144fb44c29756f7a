package posture

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"nightlatch/internal/prose"
)

// Schema names the JSON form. Fields are only ever added.
const Schema = "nightlatch.suspects/1"

// JSON is the list for machines.
func JSON(list []Suspect) ([]byte, error) {
	text, err := json.MarshalIndent(struct {
		Schema   string    `json:"schema"`
		Suspects []Suspect `json:"suspects"`
	}{Schema, append([]Suspect{}, list...)}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("the suspects as JSON: %v", err)
	}
	return append(text, '\n'), nil
}

// order is what a reader wants first.
func order(a Answer) int { return slices.Index([]Answer{Stands, Unread, RuledOut}, a) }

// Text is the list for people, a bucket or user after the other: what stands, what could not be read, and what is ruled out.
func Text(list []Suspect) string {
	var b strings.Builder
	var of []string
	for _, s := range list {
		if !slices.Contains(of, s.Of) {
			of = append(of, s.Of)
		}
	}
	for i, name := range of {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s\n\n", prose.Safe(name))
		var its []Suspect
		for _, s := range list {
			if s.Of == name {
				its = append(its, s)
			}
		}
		slices.SortStableFunc(its, func(x, y Suspect) int { return cmp.Compare(order(x.Answer), order(y.Answer)) })
		for _, s := range its {
			control := ""
			if s.Control != "" {
				control = " (Security Hub " + s.Control + ")"
			}
			fmt.Fprintf(&b, "%s: %s%s\n  %s\n", strings.ToUpper(string(s.Answer)), s.Name, control, prose.Plain(s.Says))
			if s.Next != "" {
				fmt.Fprintf(&b, "  Next: %s\n", s.Next)
			}
			for _, c := range s.Commands {
				fmt.Fprintf(&b, "    %s\n", prose.Plain(c))
			}
		}
	}
	return b.String()
}

// Count is how many of a list have an answer.
func Count(list []Suspect, a Answer) (n int) {
	for _, s := range list {
		if s.Answer == a {
			n++
		}
	}
	return n
}
