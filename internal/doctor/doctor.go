// Package doctor says whether a deployment would work tonight. A check is data: its name, the rights that it needs, how it is run, and how what
// it finds is mended. One list serves the daily function and the command. It changes nothing, and no zero value of it says that all is well.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

// State is what a check answers. The zero value says that it could not be read.
type State int

// The answers of a check.
const (
	Unread State = iota
	Broken
	Holds
)

var stateNames = map[State]string{Unread: "unread", Broken: "broken", Holds: "holds"}

// String implements fmt.Stringer: unread, broken or holds.
func (s State) String() string {
	if name, ok := stateNames[s]; ok {
		return name
	}
	return stateNames[Unread]
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name; one that is not known is Unread.
func (s *State) UnmarshalText(text []byte) error {
	*s = Unread
	for state, name := range stateNames {
		if name == string(text) {
			*s = state
		}
	}
	return nil
}

// Finding is one thing that is broken, and how it is mended: a sentence, or a command for a shell.
type Finding struct {
	Says string `json:"says"`
	Mend string `json:"mend"`
	// Weekly is what works today and may not tomorrow: the team is told once a week.
	Weekly bool `json:"weekly,omitempty"`
}

// Answer is what a check found out.
type Answer struct {
	State State `json:"state"`
	// Says is one sentence: what holds, or why it could not be read.
	Says string `json:"says,omitempty"`
	// Found is what is broken.
	Found []Finding `json:"found,omitempty"`
}

// Check is one thing that has to hold.
type Check struct {
	// Name is one word, for messages and JSON: "endpoints".
	Name string
	// Mend is how what it could not read is made readable, where the sentence itself does not say.
	Mend string
	// Grants are the rights that Run needs.
	Grants []grant.Grant
	// Limit bounds Run; 0 is a minute.
	Limit time.Duration
	// Run answers. It ends with its context.
	Run func(context.Context) Answer
}

// Report is a check's answer at a time.
type Report struct {
	Name string `json:"name"`
	Answer
	// Mend is Check.Mend, where the check could not be read.
	Mend string    `json:"mend,omitempty"`
	At   time.Time `json:"at"`
}

const (
	// limit bounds a check that says none: a hundred calls to AWS are over in it.
	limit = time.Minute
	// atOnce is how many checks run beside each other: more would be throttled, and stand in the responder's way.
	atOnce = 3
)

// Run runs the checks, some at once, each within its limit, and returns their reports in the checks' order. A check that does not end in
// time, or panics, could not be read.
func Run(ctx context.Context, now func() time.Time, checks []Check) []Report {
	reports := make([]Report, len(checks))
	free := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			r := Report{Name: c.Name, Answer: c.within(ctx), At: now()}
			if r.State == Unread {
				r.Mend = c.Mend
			}
			reports[i] = r
		})
	}
	all.Wait()
	return reports
}

// within runs a check within its limit. What it says later is not waited for.
func (c Check) within(ctx context.Context) Answer {
	most := c.Limit
	if most == 0 {
		most = limit
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	answered := make(chan Answer, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				answered <- unread(fmt.Errorf("the check itself failed: %v", p))
			}
		}()
		answered <- c.Run(ctx).checked()
	}()
	select {
	case a := <-answered:
		return a
	case <-ctx.Done():
		return unread(fmt.Errorf("it did not end within %v", most))
	}
}

// maxFound is how many findings a report has: they are kept in one item of a table, and sent in one message.
const maxFound = 50

// checked is the answer, without a word that its parts do not bear out: what found something is broken, and what says nothing was not read.
func (a Answer) checked() Answer {
	if more := len(a.Found) - maxFound; more > 0 {
		a.Found = append(slices.Clip(a.Found[:maxFound]), Finding{Says: fmt.Sprintf("and %d more", more), Mend: "mend these first, and look again"})
	}
	switch {
	case len(a.Found) > 0:
		a.State = Broken
	case a.State == Broken:
		a.State = Unread
	}
	if a.State == Unread && a.Says == "" {
		a.Says = "the check says nothing"
	}
	return a
}

// holds is the answer that all is well, in a sentence.
func holds(format string, args ...any) Answer {
	return Answer{State: Holds, Says: fmt.Sprintf(format, args...)}
}

// unread is the answer that it could not be read.
func unread(err error) Answer { return Answer{Says: prose.Plain(err.Error())} }

// found is broken where there are findings, and holds otherwise.
func found(all []Finding, format string, args ...any) Answer {
	if len(all) > 0 {
		return Answer{State: Broken, Found: all}
	}
	return holds(format, args...)
}

// Count is how many reports have a state.
func Count(reports []Report, s State) (n int) {
	for _, r := range reports {
		if r.State == s {
			n++
		}
	}
	return n
}

// Well reports whether all of it works today.
func Well(reports []Report) bool {
	return !slices.ContainsFunc(reports, func(r Report) bool {
		loud, _ := r.weigh()
		return loud > 0
	})
}
