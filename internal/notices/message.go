package notices

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

// Message is one message about several kinds, what weighs most first, and whether it is about what may keep the team from hearing.
func Message(all []Tally, place incident.Place) (m report.Message, hearing bool) {
	all = slices.Clone(all)
	weight := func(t Tally) int {
		_, i := ruleOf(t.Rule)
		if t.Refused {
			i += 1000
		}
		return i
	}
	slices.SortStableFunc(all, func(x, y Tally) int { return cmp.Compare(weight(x), weight(y)) })
	var sections []string
	for _, t := range all {
		rule, _ := ruleOf(t.Rule)
		hearing = hearing || rule.Hearing
		sections = append(sections, section(t, rule))
	}
	m = report.Message{Subject: subject(all), Body: strings.Join(sections, "\n") + "\n"}
	if len(all) > 1 {
		m.Body = overview(all) + "\n" + m.Body
	}
	return m.In(place), hearing
}

// subject is what weighs most, in one line.
func subject(all []Tally) string {
	if len(all) == 0 {
		return "[nightlatch] NOTHING"
	}
	t := all[0]
	rule, _ := ruleOf(t.Rule)
	s := "[nightlatch] "
	if t.Refused {
		s += "REFUSED: "
	}
	s += rule.Subject
	if t.Count > 1 {
		s += fmt.Sprintf(", %d times", t.Count)
	}
	if n := len(all) - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// overview is one line for each kind.
func overview(all []Tally) string {
	var b strings.Builder
	for _, t := range all {
		rule, _ := ruleOf(t.Rule)
		fmt.Fprintf(&b, "- %s%s: %s\n", rule.Subject, refused(t), prose.Plural(int64(t.Count), "event"))
	}
	return b.String()
}

func refused(t Tally) string {
	if t.Refused {
		return " (refused)"
	}
	return ""
}

// section is what is said of one kind: what and how often, what it means, who, what to do.
func section(t Tally, rule Rule) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n", rule.Subject, refused(t))
	fmt.Fprintf(&b, "What: %s", counted(t))
	if t.Count > 1 {
		fmt.Fprintf(&b, ", since %s", t.Since.UTC().Format("2006-01-02 15:04 UTC"))
	}
	b.WriteString(".\n")
	switch {
	case t.Refused && t.Loud:
		b.WriteString("Means: AWS refused it, so nothing changed. An open incident's actor is trying to silence Nightlatch.\n")
	case t.Refused:
		b.WriteString("Means: AWS refused it, so nothing changed. Told once a day.\n")
	default:
		fmt.Fprintf(&b, "Means: %s\n", rule.Means)
	}
	for _, e := range t.Shown {
		b.WriteString(shown(e))
	}
	if n := t.Count - len(t.Shown); n > 0 && len(t.Shown) > 0 {
		fmt.Fprintf(&b, "Not shown: %d. All are in CloudTrail.\n", n)
	}
	fmt.Fprintf(&b, "Do: %s\n", strings.TrimSpace(rule.Do))
	return b.String()
}

// counted names the calls: "DeleteAlarms", or "DeleteAlarms 12, DisableAlarmActions 3".
func counted(t Tally) string {
	names := slices.SortedFunc(maps.Keys(t.Calls), func(x, y string) int {
		return cmp.Or(cmp.Compare(t.Calls[y], t.Calls[x]), cmp.Compare(x, y))
	})
	var parts []string
	for _, name := range names {
		shown := prose.Safe(cmp.Or(name, "others"))
		if t.Count > 1 {
			shown += fmt.Sprintf(" %d", t.Calls[name])
		}
		parts = append(parts, shown)
	}
	return strings.Join(parts, ", ")
}

// shown is one event, a line for each thing that is known.
func shown(e Event) string {
	var b strings.Builder
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%s: %s\n", what, prose.Safe(text))
		}
	}
	line("By", e.Who)
	line("  who took that role as", e.AssumedBy)
	line("  source identity", e.Source)
	line("  from", e.From)
	if !e.At.IsZero() {
		line("  at", e.At.UTC().Format(time.DateTime+" UTC"))
	}
	line("  call", e.Call)
	line("  on", e.On)
	line("  refused with", e.Error)
	line("  event", e.ID)
	return b.String()
}
