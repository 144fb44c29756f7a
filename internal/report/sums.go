package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// Summed is what became of the incidents that somebody asked for.
type Summed struct {
	// Since is the time that was asked for; zero is any.
	Since time.Time `json:"since,omitzero"`
	// Whole: there were no older ones that were not looked at.
	Whole bool `json:"whole"`
	incident.Tally
}

// maxSummed is how many of a kind a text has: a deployment may watch thousands of buckets.
const maxSummed = 20

// Sums is the sums as a text for a terminal of so many columns, sixty at least; 0 is as wide as any. A name is never broken.
func Sums(s Summed, wide int) string {
	b := writer{columns: fitting(cmp.Or(wide, columns))}
	b.WriteString("SUMS")
	if !s.Since.IsZero() {
		b.WriteString(" since " + prose.Minute(s.Since) + " UTC")
	}
	b.WriteString("\n")
	sums(&b, s.All)
	for _, by := range []struct {
		kind string
		of   []incident.SumsOf
	}{{"ACCOUNT", s.Accounts}, {"BUCKET", s.Buckets}, {"STATE", s.States}} {
		if len(by.of) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\nBY %s\n", by.kind)
		for i, one := range by.of {
			if i == maxSummed {
				fmt.Fprintf(&b, "and %d more: --json has all\n", len(by.of)-i)
				break
			}
			name := prose.Safe(one.Name)
			if name == "" {
				name = "not known"
			}
			fmt.Fprintln(&b, name)
			sums(&b, one.Sums)
		}
	}
	return b.String()
}

// sums writes a line for each thing that there is to say.
func sums(b *writer, s incident.Sums) {
	line := func(format string, args ...any) {
		b.WriteString("  ")
		b.lines(fmt.Sprintf(format, args...), 4)
	}
	line("%s, %s", prose.Plural(int64(s.Incidents), "incident"), prose.Plural(int64(s.Alarms), "alarm"))
	contained := fmt.Sprintf("contained %d", s.Contained)
	if s.Perhaps > 0 {
		contained += fmt.Sprintf(", perhaps %d more", s.Perhaps)
	}
	line("%s%s", contained, howLong("alarm to contained", s.ToContained))
	asked := fmt.Sprintf("asked %d", s.Asked)
	for _, n := range []struct {
		count int
		what  string
	}{{s.Approved, "approved"}, {s.ByHand, "done by hand"}, {s.Cleared, "cleared by a human"}} {
		if n.count > 0 {
			asked += fmt.Sprintf(", %s %d", n.what, n.count)
		}
	}
	line("%s%s", asked, howLong("ask to answer", s.ToAnswer))
	if s.Observed > 0 {
		line("in mode observe %d: would have contained %d, asked %d", s.Observed, s.WouldContain, s.WouldAsk)
	}
}

// howLong says how long something took; "" where no time of it is known.
func howLong(what string, s incident.Spread) string {
	if s.Count == 0 {
		return ""
	}
	short := func(d time.Duration) string {
		text := d.Round(time.Second).String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		return text
	}
	return fmt.Sprintf("; %s: median %s, 95 %% %s, of %d", what, short(s.Median), short(s.P95), s.Count)
}
