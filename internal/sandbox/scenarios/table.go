package scenarios

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Score is what came of one style, or of all.
type Score struct {
	Style                              Style
	Played, Contained, Asked, Left     int
	Wronged                            int // scenarios in which an honest principal was contained
	Shown, ShownContained              int
	Silent, Alike, AlikeAsked, Thieves int
	Honest                             int
	// Examples are seeds of what went wrong.
	Examples []uint64
}

// examples is how many seeds a style names.
const examples = 3

func (c *Score) add(r Result) {
	c.Played++
	switch r.Decision {
	case Contained:
		c.Contained++
	case Asked:
		c.Asked++
	default:
		c.Left++
	}
	wrong := len(r.Wronged) > 0
	if wrong {
		c.Wronged++
	}
	switch r.Style.Truth {
	case Honest:
		c.Honest++
	case Alike:
		c.Alike++
		if r.Decision == Asked {
			c.AlikeAsked++
		}
		wrong = wrong || r.Decision != Asked
	case Thief:
		c.Thieves++
		if r.Decision == Left {
			c.Silent++
			wrong = true
		}
		if r.Style.Shown {
			c.Shown++
			if r.Decision == Contained {
				c.ShownContained++
			}
			wrong = wrong || r.Decision != Contained
		}
	}
	if wrong && len(c.Examples) < examples {
		c.Examples = append(c.Examples, r.Seed)
	}
}

// Sum adds the results up: by style, in the file's order, and over all.
func Sum(results []Result) (byStyle []Score, all Score) {
	for _, s := range Styles() {
		score := Score{Style: s}
		for _, r := range results {
			if r.Style.Name == s.Name {
				score.add(r)
			}
		}
		if score.Played > 0 {
			byStyle = append(byStyle, score)
		}
	}
	for _, r := range results {
		all.add(r)
	}
	return byStyle, all
}

// Print writes truth against decision, by style, and the sums.
func Print(out io.Writer, results []Result) error {
	styles, all := Sum(results)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "truth\tstyle\tplayed\tcontained\tasked\tleft\twrong, for example")
	for _, s := range styles {
		truth := string(s.Style.Truth)
		if s.Style.Shown {
			truth += ", shown"
		}
		var seeds []string
		for _, n := range s.Examples {
			seeds = append(seeds, strconv.FormatUint(n, 10))
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", truth, s.Style.Name, s.Played, s.Contained, s.Asked, s.Left, strings.Join(seeds, " "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	percent := 100.0
	if all.Shown > 0 {
		percent = 100 * float64(all.ShownContained) / float64(all.Shown)
	}
	_, err := fmt.Fprintf(out, `
%d scenarios: %d honest, %d thefts, %d that CloudTrail cannot tell apart.
Honest principals contained: %d.
Thefts left in silence: %d.
Thefts by a long-term key that the evidence shows, contained: %d of %d (%.1f %%).
That CloudTrail cannot tell apart, asked: %d of %d.
`, all.Played, all.Honest, all.Thieves, all.Alike, all.Wronged, all.Silent, all.ShownContained, all.Shown, percent, all.AlikeAsked, all.Alike)
	return err
}
