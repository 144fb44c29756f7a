// Package report tells one incident: as a text for people, and as JSON. Whatever others could choose in it is escaped for the
// place where it stands.
package report

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
)

// Text is the message to the team: the answer first, then why, then the evidence. The answer and the undo lines stand at the
// top, so that a channel that has to cut cuts from the end.
func Text(r incident.Record) Message {
	var b strings.Builder
	answer(&b, r)
	why(&b, r)
	table(&b, r)
	notKnown(&b, r)
	timeline(&b, r)
	fmt.Fprintf(&b, "\nIncident %s, mode %s. Times are UTC.\n", Safe(r.ID), Safe(string(r.Mode)))
	return Message{Subject: Subject(r), Body: b.String()}
}

// headline is what happened, in one word.
func headline(r incident.Record) string {
	rank := map[containment.State]int{containment.Failed: 6, containment.Unknown: 5, containment.Drifted: 5, containment.Done: 4,
		containment.Asked: 3, containment.DryRun: 2, containment.Already: 1}
	words := map[containment.State]string{containment.Failed: "FAILED", containment.Unknown: "STATE UNKNOWN", containment.Drifted: "DRIFTED",
		containment.Done: "CONTAINED", containment.Asked: "DECIDE", containment.DryRun: "DRY RUN", containment.Already: "ALREADY OFF"}
	best := containment.Skipped
	for _, o := range r.Outcomes {
		if rank[o.State] > rank[best] {
			best = o.State
		}
	}
	if word := words[best]; word != "" {
		return word
	}
	if len(r.Evidence.Actors) == 0 {
		return "NOBODY FOUND"
	}
	return "NO ACTION"
}

// Subject is one line of ASCII under 100 characters.
func Subject(r incident.Record) string {
	s := "[nightlatch] " + headline(r) + ": "
	if a := lead(r); a != nil {
		s += cmp.Or(Safe(a.AccessKeyID), string(a.Kind)) + " took " + Bytes(a.Bytes) + " from "
	} else if r.Alarm.Bytes != nil {
		s += Bytes(*r.Alarm.Bytes) + " from "
	}
	s += List(r.Alarm.Buckets)
	if len(s) > 99 {
		s = s[:96] + "..."
	}
	return s
}

// lead is the actor that the answer is about: the one with a step that counts most, else the one that took most.
func lead(r incident.Record) *evidence.Actor {
	for _, o := range r.Outcomes {
		if o.State == containment.Skipped || o.State == containment.Asked {
			continue
		}
		for i, a := range r.Evidence.Actors {
			if a.AccessKeyID != "" && a.AccessKeyID == o.Target {
				return &r.Evidence.Actors[i]
			}
		}
	}
	if len(r.Evidence.Actors) == 0 || (r.Evidence.Actors[0].Bytes == 0 && r.Evidence.Actors[0].Copies == 0) {
		return nil
	}
	return &r.Evidence.Actors[0]
}

// Answer is who took what, in one sentence.
func Answer(r incident.Record) string {
	a := lead(r)
	window := Window(r.Alarm.From, r.Alarm.To)
	if a == nil {
		return nobody(r) + " (" + List(r.Alarm.Buckets) + ", " + window + ")"
	}
	took := fmt.Sprintf("took %s", Bytes(a.Bytes))
	if a.Share != nil {
		took += fmt.Sprintf(" (%s of the alarmed bytes)", percent(*a.Share))
	}
	if a.Objects > 0 {
		took += " in " + Plural(a.Objects, "object")
	}
	if a.Copies > 0 {
		took += fmt.Sprintf(" and made %s of unknown size", Plural(a.Copies, "server-side copy"))
	}
	who := Who(*a)
	return fmt.Sprintf("%s %s from %s, %s, %s", strings.ToUpper(who[:1])+who[1:], took, List(r.Alarm.Buckets), window, from(*a))
}

// nobody says why CloudTrail may show no one.
func nobody(r incident.Record) string {
	n := len(r.Looks)
	switch {
	case n == 0:
		return "CloudTrail was not asked"
	case r.Evidence.Engine == "":
		return "CloudTrail could not be asked: " + Safe(r.Looks[n-1].Error)
	case len(r.Evidence.Actors) > 0:
		return "nobody took bytes in the window; CloudTrail shows calls only around it"
	}
	return "no S3 data events: is data-event logging on for this bucket?"
}

func answer(b *strings.Builder, r incident.Record) {
	fmt.Fprintf(b, "%s\n\n", headline(r))
	for _, line := range wrap(Answer(r)+".", width) {
		fmt.Fprintln(b, line)
	}
	fmt.Fprintln(b)
	if len(r.Outcomes) == 0 {
		field(b, "Done", "nothing: there is no credential to act on")
	}
	for i, o := range r.Outcomes {
		if i == maxOutcomes {
			field(b, "And", fmt.Sprintf("%d more steps, in the incident's JSON", len(r.Outcomes)-i))
			break
		}
		outcome(b, o)
	}
	field(b, "How sure", sure(r))
	e := r.Evidence
	switch {
	case e.Unexplained == nil:
		field(b, "Unexplained", "not known: the alarmed bytes are not known")
	case *e.Unexplained == 0 && *e.Explained > 1:
		field(b, "Unexplained", fmt.Sprintf("nothing; CloudTrail shows %s more than the metric", Bytes(e.Bytes-*r.Alarm.Bytes)))
	default:
		field(b, "Unexplained", fmt.Sprintf("%s of %s", Bytes(*e.Unexplained), Bytes(*r.Alarm.Bytes)))
	}
}

// maxOutcomes is how many steps the answer spells out.
const maxOutcomes = 12

func outcome(b *strings.Builder, o containment.Outcome) {
	step := string(o.Action) + " " + Safe(o.Target)
	detail := ""
	if o.Detail != "" {
		detail = " (" + Safe(o.Detail) + ")"
	}
	switch o.State {
	case containment.Done:
		field(b, "Done", step+" at "+o.At.UTC().Format(time.TimeOnly)+detail)
	case containment.Already:
		field(b, "Nothing to do", step+detail)
	case containment.Asked:
		field(b, "YOU DECIDE", step+detail)
	case containment.DryRun:
		field(b, "Would do", step+detail)
	case containment.Skipped:
		field(b, "Left alone", step)
	case containment.Failed:
		field(b, "FAILED", step+detail)
	case containment.Drifted:
		field(b, "DRIFTED", step+detail)
	default:
		field(b, "UNKNOWN", step+": tried, and not seen done"+detail)
	}
	if o.State == containment.Skipped {
		return
	}
	if o.Undo != "" {
		raw(b, "To undo", o.Undo)
	}
	for _, line := range o.Runbook {
		raw(b, "Run", line)
	}
	switch o.State {
	case containment.Done, containment.Already, containment.Unknown, containment.Asked:
		if o.Step.Planned() {
			field(b, "Still open", "sessions that this key minted outlive it by up to 36 hours; Nightlatch does not cut them yet")
		}
	}
}

func sure(r incident.Record) string {
	var parts []string
	a, e := r.Alarm, r.Evidence
	switch {
	case a.Confirmed:
		parts = append(parts, "CloudWatch confirms "+Bytes(*a.Bytes))
	default:
		parts = append(parts, "NOT CONFIRMED by CloudWatch: "+Safe(cmp.Or(r.MetricError, a.Doubt, "it was not asked")))
	}
	if e.Explained != nil {
		parts = append(parts, "CloudTrail explains "+percent(*e.Explained))
	}
	if e.Complete {
		parts = append(parts, "the evidence is complete")
	} else {
		parts = append(parts, "the evidence is NOT COMPLETE")
	}
	if a.Source == alarm.Manual {
		parts = append(parts, "asked by a manual event")
	}
	return strings.Join(parts, "; ")
}

func percent(x float64) string {
	switch {
	case x > 0 && x < 0.001:
		return "<0.1 %"
	case x >= 0.9995 && x <= 1.0005:
		return "100 %"
	}
	return fmt.Sprintf("%.1f %%", x*100)
}

const width = 96

// field writes "Name    text", wrapped, with the text in a column of its own.
func field(b *strings.Builder, name, text string) {
	for i, line := range wrap(text, width-indent) {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(b, "%-*s%s\n", indent, name, line)
	}
}

// raw writes a line that must not be wrapped or cut: a command.
func raw(b *strings.Builder, name, line string) {
	fmt.Fprintf(b, "%-*s%s\n", indent, name, escape(line))
}

const indent = 15

// wrap breaks text between words.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func why(b *strings.Builder, r incident.Record) {
	if len(r.Verdicts) == 0 {
		return
	}
	fmt.Fprint(b, "\nWHY\n")
	for i, v := range r.Verdicts {
		if i == maxOutcomes {
			fmt.Fprintf(b, "and %d more verdicts, in the incident's JSON\n", len(r.Verdicts)-i)
			break
		}
		fmt.Fprintf(b, "%s %s: %s\n", v.Action, Safe(v.Target), strings.ToUpper(string(v.Decision)))
		for _, reason := range v.Reasons {
			for j, line := range wrap(Safe(reason), width-4) {
				fmt.Fprintf(b, "%s%s\n", map[bool]string{true: "  - ", false: "    "}[j == 0], line)
			}
		}
		if v.Protected != "" {
			field(b, "  TAGGED BY", Safe(v.TaggedBy))
		}
	}
	if r.Unjudged > 0 {
		fmt.Fprintf(b, "%s took less than 1 %% each and were not judged\n", Plural(int64(r.Unjudged), "other actor"))
	}
}

// maxRows is how many actors the table shows.
const maxRows = 10

func table(b *strings.Builder, r incident.Record) {
	e := r.Evidence
	if len(e.Actors) == 0 {
		return
	}
	fmt.Fprintf(b, "\nEVIDENCE (%s, %s)\n", Safe(e.Engine), Window(e.From, e.To))
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "share\tbytes\tcredential\tof\tfrom\tusual")
	for i, a := range e.Actors {
		if i == maxRows {
			break
		}
		share := "?"
		if a.Share != nil {
			share = percent(*a.Share)
		}
		origin, familiar := "-", "?"
		if len(a.Origins) > 0 {
			origin = Safe(cmp.Or(a.Origins[0].VPCEndpoint, a.Origins[0].Network, "-"))
			if len(a.Origins) > 1 {
				origin += fmt.Sprintf(" +%d", len(a.Origins)-1)
			}
			if f := a.Origins[0].Familiar; f != nil {
				familiar = map[bool]string{true: "yes", false: "NEVER SEEN"}[*f]
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", share, Bytes(a.Bytes), short(cmp.Or(a.AccessKeyID, "-"), 24), owner(a), short(origin, 24), familiar)
	}
	w.Flush()
	if more := int64(len(e.Actors)-maxRows) + e.Others.Actors; more > 0 {
		fmt.Fprintf(b, "and %d more actors\n", more)
	}
	if a := lead(r); a != nil {
		fmt.Fprintf(b, "\nFirst seen %s, last seen %s. Calls: %s.\n", clock(a.FirstSeen), clock(a.LastSeen), counts(a.Calls))
		if len(a.Errors) > 0 {
			fmt.Fprintf(b, "Refused: %s.\n", counts(a.Errors))
		}
		if a.LastUsed != nil {
			fmt.Fprintf(b, "Before that, its owner last read these buckets %s; at most %s in a day.\n", a.LastUsed.UTC().Format("2006-01-02 15:04"), Bytes(*a.MostBytesInADay))
		}
		for _, agent := range a.Agents[:min(len(a.Agents), 3)] {
			fmt.Fprintf(b, "Agent, as the caller gives it: %s\n", short(agent, 80))
		}
	}
}

func clock(t time.Time) string { return t.UTC().Format(time.TimeOnly) }

func short(s string, n int) string {
	s = Safe(s)
	if len(s) > n {
		return s[:n-3] + "..."
	}
	return s
}
