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

// Group are the suspects of one bucket or user.
type Group struct {
	Of       string
	Suspects []Suspect
}

// Groups are a list's, a bucket or user after the other: what stands, what could not be read, and what is ruled out. What others chose in them is printable
// ASCII on one line.
func Groups(list []Suspect) (all []Group) {
	for _, s := range list {
		of := prose.Safe(s.Of)
		i := slices.IndexFunc(all, func(g Group) bool { return g.Of == of })
		if i < 0 {
			i, all = len(all), append(all, Group{Of: of})
		}
		s.Of, s.Says, s.Commands = of, prose.Plain(s.Says), slices.Clone(s.Commands)
		for j, c := range s.Commands {
			s.Commands[j] = prose.Plain(c)
		}
		all[i].Suspects = append(all[i].Suspects, s)
	}
	for _, g := range all {
		slices.SortStableFunc(g.Suspects, func(x, y Suspect) int { return cmp.Compare(order(x.Answer), order(y.Answer)) })
	}
	return all
}

// Open are the suspects of some groups that stand, in the order in which to do something about them: what opens a bucket or reaches far comes before what only
// makes the next theft harder.
func Open(groups []Group) (open []Suspect) {
	var wait []Suspect
	for _, g := range groups {
		for _, s := range g.Suspects {
			switch {
			case s.Answer != Stands:
			case s.later:
				wait = append(wait, s)
			default:
				open = append(open, s)
			}
		}
	}
	return append(open, wait...)
}

// Text is the list for people.
func Text(list []Suspect) string {
	var b strings.Builder
	for i, g := range Groups(list) {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s\n\n", g.Of)
		for _, s := range g.Suspects {
			control := ""
			if s.Control != "" {
				control = " (Security Hub " + s.Control + ")"
			}
			fmt.Fprintf(&b, "%s: %s%s\n  %s\n", strings.ToUpper(string(s.Answer)), s.Name, control, s.Says)
			if s.Next != "" {
				fmt.Fprintf(&b, "  Next: %s\n", s.Next)
			}
			for _, c := range s.Commands {
				fmt.Fprintf(&b, "    %s\n", c)
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
