package scenarios

import (
	"bytes"
	"strings"
	"testing"
)

// A theft is over where all of its credentials are off, and in silence where nobody was told of one.
func TestWhatBecameOfSeveral(t *testing.T) {
	for _, c := range []struct {
		truth Truth
		all   []Decision
		want  Decision
	}{
		{Thief, []Decision{Contained, Contained}, Contained}, {Thief, []Decision{Contained, Asked}, Asked}, {Thief, []Decision{Contained, Left}, Left}, {Thief, []Decision{Asked, Left}, Left},
		{Honest, []Decision{Left, Contained}, Contained}, {Honest, []Decision{Left, Asked}, Asked}, {Honest, []Decision{Left}, Left}, {Alike, []Decision{Asked}, Asked}, {Thief, nil, Left},
	} {
		if got := summed(c.truth, c.all); got != c.want {
			t.Errorf("%s with %v: got %s, want %s", c.truth, c.all, got, c.want)
		}
	}
}

// What is wrong is counted, and named by its seed.
func TestTheTable(t *testing.T) {
	style := func(name string) Style {
		for _, s := range Styles() {
			if s.Name == name {
				return s
			}
		}
		t.Fatalf("there is no style %q", name)
		return Style{}
	}
	var out bytes.Buffer
	err := Print(&out, []Result{
		{Style: style("ci-hosted"), Seed: 1, Decision: Asked}, {Style: style("ci-hosted"), Seed: 2, Decision: Contained, Wronged: []string{"ci-deploy"}},
		{Style: style("lone-new-office"), Seed: 3, Decision: Asked}, {Style: style("lone-new-office"), Seed: 4, Decision: Left},
		{Style: style("new-network"), Seed: 5, Decision: Contained}, {Style: style("new-network"), Seed: 6, Decision: Asked},
		{Style: style("insider"), Seed: 7, Decision: Asked}, {Style: style("insider"), Seed: 8, Decision: Left},
		{Style: style("insider"), Seed: 9, Decision: Asked, Wronged: []string{"dashboard"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	want := `truth style played contained asked left wrong, for example
honest ci-hosted 2 1 1 0 2
alike lone-new-office 2 0 1 1 4
thief, shown new-network 2 1 1 0 6
thief insider 3 0 2 1 8 9

9 scenarios: 2 honest, 5 thefts, 2 that CloudTrail cannot tell apart.
Honest principals contained: 2.
Thefts left in silence: 1.
Thefts by a long-term key that the evidence shows, contained: 1 of 2 (50.0 %).
That CloudTrail cannot tell apart, asked: 1 of 2.
`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
