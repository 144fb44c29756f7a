// Package report writes one incident: as a text for people, and as JSON. Whatever others could choose in it is escaped for the place where
// it stands.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"nightlatch/internal/alarm"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// Text is the message to the team: the answer first, then why, then the evidence. The answer and the undo lines stand at the
// top, so that a channel that has to cut cuts from the end.
func Text(r incident.Record) Message { return text(r, columns).In(r.Where()) }

// Terminal is the text for a terminal of so many columns, sixty at least. A command is never broken.
func Terminal(r incident.Record, wide int) string {
	return text(r, fitting(wide)).In(r.Where()).Body
}

// Wrapped is a paragraph as wide as such a text; 0 is as wide as any.
func Wrapped(paragraph string, wide int) string {
	b := writer{columns: fitting(cmp.Or(wide, columns))}
	b.lines(paragraph, 0)
	return b.String()
}

func fitting(wide int) int { return min(max(wide, narrowest), columns) }

func text(r incident.Record, wide int) Message {
	b := writer{columns: wide}
	answer(&b, r)
	rest(&b, r)
	return Message{Subject: Subject(r), Body: b.String()}
}

// rest is all that a text says below who it was.
func rest(b *writer, r incident.Record) {
	switch {
	case r.Alarm.Refused != "":
		fmt.Fprintln(b)
		b.lines("This is said once for each alarm. Take Nightlatch out of its actions, or watch S3's request metrics.", 0)
	case r.Alarm.Source == alarm.Manual: // who asks who was there gets all of them, before what could be done to anyone
		table(b, r)
		steps(b, r)
		why(b, r)
		lineage(b, r)
		notKnown(b, r)
	default:
		steps(b, r)
		also(b, r)
		why(b, r)
		lineage(b, r)
		table(b, r)
		notKnown(b, r)
	}
	timeline(b, r)
	fmt.Fprintln(b)
	hub(b, r)
	b.lines(signature(r), 0)
}

// hub says that the hub has not heard, where it has not.
func hub(b *writer, r incident.Record) {
	if line := hubLine(r); line != "" {
		b.lines(line, 0)
		fmt.Fprintln(b)
	}
}

// signature ends a text: which incident it is.
func signature(r incident.Record) string {
	return "Incident " + prose.Safe(r.ID) + ", " + modeOf(r) + ". Times are UTC."
}

// modeOf says in which mode an incident was, and when it was to end.
func modeOf(r incident.Record) string {
	text := "mode " + prose.Safe(string(r.Mode))
	switch {
	case r.Overdue():
		text += ", WHICH WAS TO END ON " + prose.Safe(r.ObserveUntil)
	case r.ObserveUntil != "":
		text += " until " + prose.Safe(r.ObserveUntil)
	}
	return text
}

// columns is how wide a text is, and narrowest how wide at least.
const (
	columns   = 96
	narrowest = 60
)

// writer writes a text, and keeps its fields for whoever lays them out in another way.
type writer struct {
	strings.Builder
	fields  []named
	columns int // 0 is as wide as any
}

func (b *writer) width() int { return cmp.Or(b.columns, columns) }

// lines writes a text, wrapped, of which all lines but the first are indented.
func (b *writer) lines(text string, indent int) {
	for i, line := range wrap(text, b.width()-indent) {
		if i > 0 {
			line = strings.Repeat(" ", indent) + line
		}
		fmt.Fprintln(b, line)
	}
}

// named is a field of a text. A command is shown as it is.
type named struct {
	Name, Text string
	Command    bool
}

// item writes one of a list.
func (b *writer) item(text string) {
	b.WriteString("  - ")
	b.lines(text, 4)
}

// field writes "Name    text", wrapped, with the text in a column of its own.
func field(b *writer, name, text string) {
	b.fields = append(b.fields, named{name, text, false})
	for i, line := range wrap(text, b.width()-indent) {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(b, "%-*s%s\n", indent, name, line)
	}
}

// raw writes a line that must not be wrapped or cut: a command.
func raw(b *writer, name, line string) {
	b.fields = append(b.fields, named{name, prose.Plain(line), true})
	fmt.Fprintf(b, "%-*s%s\n", indent, name, prose.Plain(line))
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

// hadFloor reports whether the floor has decided a verdict: too little was taken, or it was enough as the bucket is small.
func hadFloor(r incident.Record, v incident.Verdict) bool {
	short := slices.ContainsFunc(v.Reasons, func(reason string) bool { return strings.HasPrefix(reason, "ask-floor:") })
	return short || v.Decision == policy.Contain && r.Alarm.Stored != nil && r.Floor() < incident.MostFloor
}

func why(b *writer, r incident.Record) {
	if len(r.Verdicts) == 0 {
		return
	}
	fmt.Fprint(b, "\nWHY\n")
	for i, v := range r.Verdicts {
		if i == maxOutcomes {
			fmt.Fprintf(b, "and %d more verdicts, in the incident's JSON\n", len(r.Verdicts)-i)
			break
		}
		b.lines(prose.Safe(string(v.Action))+" "+prose.Safe(v.Target)+": "+strings.ToUpper(prose.Safe(string(v.Decision))), 2)
		for _, reason := range v.Reasons {
			b.item(prose.Safe(reason))
		}
		if v.TaggedBy != "" {
			field(b, "  TAGGED BY", prose.Safe(v.TaggedBy))
		}
	}
	if slices.ContainsFunc(r.Verdicts, func(v incident.Verdict) bool { return hadFloor(r, v) }) {
		b.lines("Contained without a human is who takes "+prose.Bytes(r.Floor())+" or more in 24 hours: "+r.WhyFloor()+".", 0)
	}
	if r.Aside > 0 {
		b.lines(prose.Plural(int64(r.Aside), "usual reader")+" not asked about: what each took is usual for it, all of it through places that it used on earlier days, "+
			"and the metric counts a part of the bucket. The table has them.", 0)
	}
	if r.Unjudged > 0 {
		fmt.Fprintf(b, "%s took less than 1 %% each and were not judged\n", prose.Plural(int64(r.Unjudged), "other actor"))
	}
}
