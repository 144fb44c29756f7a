package backtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"nightlatch/internal/evidence"
	"nightlatch/internal/prose"
)

const stamp = "2006-01-02 15:04"

// Text is the result for a terminal. What others chose in it is harmless.
func Text(r Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "WHAT NIGHTLATCH WOULD HAVE DONE\n\nThe trail goes from %s to %s UTC", r.From.Format(stamp), r.To.Format(stamp))
	if r.Since.After(r.From) {
		fmt.Fprintf(&b, ", and the alarms are those since %s", r.Since.Format(stamp))
	}
	fmt.Fprintf(&b, ". %s in mode act.\n\n", prose.Capital(prose.Plural(int64(len(r.Series)), "bucket")+" watched"))
	for n := range r.Policies {
		if len(r.Policies) > 1 {
			fmt.Fprintf(&b, "%s: ", prose.Safe(r.Policies[n]))
		}
		b.WriteString(r.Sum(n).Sentence() + "\n")
	}
	r.writeAlarms(&b)
	r.writeBuckets(&b)
	r.writePrincipals(&b)
	r.writeProposals(&b)
	b.WriteString("\nHOW SURE THIS IS\n")
	for _, line := range r.Limits() {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	return b.String()
}

// Sum counts what one policy had made of all alarms.
type Sum struct {
	Alarms, Contained, Asked, Left int
	// Keys are the access keys that had been deactivated, with their owners.
	Keys map[string]string
}

// Sum counts what the policy of that place had made of all alarms.
func (r Result) Sum(policy int) Sum {
	s := Sum{Alarms: len(r.Alarms), Keys: map[string]string{}}
	for _, a := range r.Alarms {
		j := a.Judged[policy]
		s.add(j.Decision)
		for _, step := range j.Steps {
			if step.Decision == Contained {
				s.Keys[step.Target] = step.Owner
			}
		}
	}
	return s
}

func (s *Sum) add(d Decision) {
	switch d {
	case Contained:
		s.Contained++
	case Asked:
		s.Asked++
	default:
		s.Left++
	}
}

// Sentence is the sum in one line: "47 alarms; 2 keys would have been deactivated, both of backup-prod; 41 asked; 4 without a step".
func (s Sum) Sentence() string {
	if s.Alarms == 0 {
		return "No alarm had fired."
	}
	keys := "no key would have been deactivated"
	if n := len(s.Keys); n > 0 {
		owners := slices.Compact(slices.Sorted(maps.Values(s.Keys)))
		whose := "of " + prose.List(owners)
		if n > 1 && len(owners) == 1 {
			whose = map[bool]string{true: "both ", false: "all "}[n == 2] + whose
		}
		keys = prose.Plural(int64(n), "key") + " would have been deactivated, " + whose
	}
	return fmt.Sprintf("%s; %s; %d asked; %d without a step.", prose.Plural(int64(s.Alarms), "alarm"), keys, s.Asked, s.Left)
}

// writeAlarms writes each alarm with what was decided.
func (r Result) writeAlarms(b *strings.Builder) {
	for i, a := range r.Alarms {
		if i == 0 {
			b.WriteString("\nEACH ALARM\n")
		}
		fmt.Fprintf(b, "\n%s UTC  %s  %s: %s, in ALARM for %s\n", a.At.Format(stamp), prose.Safe(a.Bucket), a.Threshold, prose.Bytes(a.Most), span(a.Until.Sub(a.At)))
		for n, j := range a.Judged {
			name := ""
			if len(r.Policies) > 1 {
				name = prose.Safe(r.Policies[n]) + ": "
			}
			fmt.Fprintf(b, "  %s%s\n", name, strings.ToUpper(string(j.Decision)))
			if n == 0 {
				fmt.Fprintf(b, "    %s\n", j.Says())
			}
			for _, s := range j.Steps {
				fmt.Fprintf(b, "    %s\n", s.Says())
			}
		}
	}
}

// Says is who took what, with how many more windows there are.
func (j Judged) Says() string {
	if len(j.Answers) == 0 {
		return "nothing was asked"
	}
	if more := len(j.Answers) - 1; more > 0 {
		return fmt.Sprintf("%s. It went on: %s judged too", j.Answers[0], prose.Plural(int64(more), "later window"))
	}
	return j.Answers[0]
}

// Says is the step in a line, with the rules that decided it.
func (s Step) Says() string {
	var rules []string
	for _, reason := range s.Reasons {
		rule, _, _ := strings.Cut(reason, ":")
		rules = append(rules, prose.Safe(rule))
	}
	return fmt.Sprintf("%s %s (%s, %s): %s, by %s", s.Action, prose.Safe(s.Target), prose.Safe(s.Owner), prose.Bytes(s.Bytes), s.Decision, cmp.Or(strings.Join(rules, ", "), "no rule"))
}

// span is a length of time for people: 5 minutes, 3 h 20 min, 2 days 4 h.
func span(d time.Duration) string {
	days, hours, minutes := int64(d/(24*time.Hour)), int64(d/time.Hour)%24, int64(d/time.Minute)%60
	switch {
	case days > 0:
		return fmt.Sprintf("%s %d h", prose.Plural(days, "day"), hours)
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	}
	return prose.Plural(minutes, "minute")
}

// Row is one line of a table: something, with how many alarms each policy contained, asked about and left.
type Row struct {
	Name   string
	Alarms int
	By     []Sum
}

// Buckets are the watched buckets, those with most alarms first.
func (r Result) Buckets() []Row {
	rows := map[string]*Row{}
	for _, s := range r.Series {
		rows[s.Bucket] = r.row(s.Bucket)
	}
	for _, a := range r.Alarms {
		row := rows[a.Bucket]
		row.Alarms++
		for n, j := range a.Judged {
			row.By[n].add(j.Decision)
		}
	}
	return sorted(rows)
}

// Principals are those about whom something was decided, with the alarms in which it was.
func (r Result) Principals() []Row {
	rows := map[string]*Row{}
	for _, a := range r.Alarms {
		most := map[string][]Decision{}
		for n, j := range a.Judged {
			for _, s := range j.Steps {
				if most[s.Owner] == nil {
					most[s.Owner] = make([]Decision, len(r.Policies))
				}
				if d := &most[s.Owner][n]; weight(s.Decision) > weight(*d) {
					*d = s.Decision
				}
			}
		}
		for who, decisions := range most {
			if rows[who] == nil {
				rows[who] = r.row(who)
			}
			rows[who].Alarms++
			for n, d := range decisions {
				rows[who].By[n].add(d)
			}
		}
	}
	return sorted(rows)
}

func (r Result) row(name string) *Row { return &Row{Name: name, By: make([]Sum, len(r.Policies))} }

func sorted(rows map[string]*Row) (all []Row) {
	for _, row := range rows {
		all = append(all, *row)
	}
	slices.SortFunc(all, func(x, y Row) int { return cmp.Or(y.Alarms-x.Alarms, cmp.Compare(x.Name, y.Name)) })
	return all
}

func (r Result) writeBuckets(b *strings.Builder) {
	b.WriteString("\nBY BUCKET\n")
	r.table(b, "bucket", r.Buckets())
}

func (r Result) writePrincipals(b *strings.Builder) {
	if rows := r.Principals(); len(rows) > 0 {
		b.WriteString("\nBY PRINCIPAL\n")
		r.table(b, "principal", rows)
	}
}

// table writes rows with their counts, one column for each decision of each policy.
func (r Result) table(b *strings.Builder, of string, rows []Row) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "alarms\t")
	for _, p := range r.Policies {
		of := ""
		if len(r.Policies) > 1 {
			of = " (" + prose.Safe(p) + ")"
		}
		fmt.Fprintf(w, "contained%[1]s\tasked%[1]s\tleft%[1]s\t", of)
	}
	fmt.Fprintf(w, "  %s\n", of)
	for _, row := range rows {
		fmt.Fprintf(w, "%d\t", row.Alarms)
		for _, s := range row.By {
			fmt.Fprintf(w, "%d\t%d\t%d\t", s.Contained, s.Asked, s.Left)
		}
		fmt.Fprintf(w, "  %s\n", prose.Safe(row.Name))
	}
	w.Flush()
}

// writeProposals writes which threshold fires how often, and what it would have missed.
func (r Result) writeProposals(b *strings.Builder) {
	proposals := r.Propose(r.AtMost)
	if len(proposals) == 0 {
		return
	}
	fmt.Fprintf(b, "\nTHRESHOLDS\nThe lowest that fires at most %s a month on this history, and what it would have missed.\n", times(r.AtMost))
	for _, p := range proposals {
		fmt.Fprintf(b, "  %s=%s  fires %s here; %s fired %s. %s\n", prose.Safe(p.Bucket), p.Threshold, times(p.Fires), p.Now, times(p.FiresNow), r.Misses(p))
	}
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// Misses says which alarms a proposed threshold would have missed, by what the first policy had made of them.
func (r Result) Misses(p Proposal) string {
	if len(p.Missed) == 0 {
		return "It misses none of them."
	}
	var s Sum
	var when []string
	for _, i := range p.Missed {
		s.add(r.Alarms[i].Judged[0].Decision)
		if r.Alarms[i].Judged[0].Decision == Contained {
			when = append(when, r.Alarms[i].At.Format(stamp))
		}
	}
	text := fmt.Sprintf("It misses %d: %d contained, %d asked, %d left.", len(p.Missed), s.Contained, s.Asked, s.Left)
	if len(when) > 0 {
		text += " NOT FIRED for what was contained at " + prose.List(when) + "."
	}
	return text
}

// Limits say what the result stands on, one sentence each.
func (r Result) Limits() []string {
	all := []string{
		"The metric is what the records add up to, and the files hold all that CloudTrail had in the end. A deployment sees both minutes late, and less of them at first.",
		"CloudWatch is reckoned with after its pages: each minute, over the last five minutes or the last 24 hours. An alarm fires once while it stays in ALARM.",
		"The account is in memory, as the trail shows it: every key is on, nothing is tagged, and no key was used last in another service. What the buckets hold is not known, so the floor is 1 GiB. That nobody but CloudTrail wrote the files counts as given.",
		"Each alarm was answered by itself. What a deactivated key did later is judged again, and the cap on containments an hour is not reckoned with.",
	}
	all = append(all, r.Notes...)
	if short := r.shortPast(); short > 0 {
		all = append(all, fmt.Sprintf("%s less than the %d days of trail before it that a deployment asks for. With a shorter past, more is asked and less is contained.",
			prose.Plural(int64(short), "alarm")+map[bool]string{true: " has", false: " have"}[short == 1], int(evidence.HistorySpan.Hours()/24)))
	}
	var quiet, places []string
	for _, s := range r.Series {
		if len(s.Minutes) == 0 {
			quiet = append(quiet, s.Bucket)
		}
		if len(s.Places) > 0 {
			places = append(places, s.Bucket)
		}
	}
	if len(quiet) > 0 {
		all = append(all, "The trail has no data event of "+prose.List(quiet)+": nothing is known of it.")
	}
	if len(places) > 0 {
		all = append(all, "The records name several regions or accounts for "+prose.List(places)+". A bucket has one of each: the most frequent were taken, and the bytes of all added up.")
	}
	for _, s := range r.Series {
		if len(s.Minutes) > 0 && s.Minutes[0].Start.Sub(r.From) > 48*time.Hour {
			all = append(all, "The data events of "+prose.Safe(s.Bucket)+" begin at "+s.Minutes[0].Start.Format(stamp)+". Whether nobody read it before, or nobody recorded it, the trail does not say.")
		}
	}
	all = append(all, r.holes()...)
	if len(r.Unwatched) > 0 {
		all = append(all, "No alarm watches "+prose.List(r.Unwatched)+".")
	}
	if len(r.Lost) > 0 {
		all = append(all, "Where something cannot be read, nothing is contained. Mend what follows or leave it out, and run this again.")
	}
	for _, lost := range r.Lost {
		all = append(all, prose.Plain(prose.Capital(lost))+".")
	}
	return all
}

// shortPast counts the alarms whose past in the trail is shorter than what is asked for.
func (r Result) shortPast() (n int) {
	for _, a := range r.Alarms {
		if a.Past < evidence.HistorySpan {
			n++
		}
	}
	return n
}

// holes names the holes of the trail, the longest of very many.
func (r Result) holes() (all []string) {
	const most = 10
	longest := slices.Clone(r.Holes)
	slices.SortStableFunc(longest, func(x, y Hole) int { return cmp.Compare(y.To.Sub(y.From), x.To.Sub(x.From)) })
	longest = longest[:min(len(longest), most)]
	slices.SortFunc(longest, func(x, y Hole) int { return x.From.Compare(y.From) })
	for _, h := range longest {
		all = append(all, fmt.Sprintf("THE TRAIL HAS A HOLE: there is no record at all from %s to %s UTC (%s). Nothing fires in it, and what was usual in it is not known.",
			h.From.Format(stamp), h.To.Format(stamp), span(h.To.Sub(h.From))))
	}
	if more := len(r.Holes) - len(longest); more > 0 {
		all = append(all, fmt.Sprintf("It has %s than these, each shorter.", prose.Plural(int64(more), "more hole")))
	}
	return all
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
