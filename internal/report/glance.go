package report

import (
	"fmt"
	"slices"
	"strings"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// rule stands in a message between what is read on a phone and all the rest.
const rule = "------------------------"

// glance is an incident for a phone: who, how much, from where and how usual, what was done or is asked, and what to do now, a line each, which the
// phone itself wraps; then one command alone between blank lines, to be copied, and one link.
func glance(b *strings.Builder, r incident.Record) {
	window := prose.Window(r.Alarm.From, r.Alarm.To)
	var lines []string
	if a := lead(r); a != nil {
		lines = append(lines, prose.Capital(Who(*a))+behind(r, *a), prose.Capital(took(r, *a))+" from "+prose.List(bucketsOf(r, *a))+", "+window+around(r, a), prose.Capital(from(r, *a)))
	} else {
		lines = append(lines, nobody(r), prose.List(r.Alarm.Buckets)+", "+window+around(r, nil))
	}
	if doubt := notConfirmed(r); doubt != "" && r.Alarm.Source == alarm.Fired {
		lines = append(lines, doubt)
	}
	now, command := "", ""
	for _, s := range glances { // what waits for a human comes last, beside its command
		i := slices.IndexFunc(r.Outcomes, func(o containment.Outcome) bool { return o.State == s.state })
		if i < 0 {
			continue
		}
		o := r.Outcomes[i]
		lines = append(lines, s.says+": "+stepOf(o)+more(r.Outcomes, s.state))
		switch cmd := s.command(r, o); {
		case cmd != "":
			now, command = s.now, cmd
		case len(o.Runbook) > 1:
			now, command = "", ""
			lines[len(lines)-1] += "; what to run stands below"
		}
	}
	if len(r.Outcomes) == 0 {
		lines = append(lines, "No step: "+noStep(r))
	}
	if command == "" && r.Unsolved() != "" {
		lines = append(lines, "Somebody has to find out who took these bytes")
	}
	for _, l := range lines {
		fmt.Fprintln(b, "- "+l)
	}
	if command != "" {
		fmt.Fprintf(b, "%s\n\n%s\n", now, prose.Plain(command))
	}
	if link := linkLine(r); link != "" {
		fmt.Fprintf(b, "\n%s\n", link)
	}
	fmt.Fprintf(b, "\n%s\n", rule)
}

// glances are the states of steps as a phone shows them, those that wait for a human last, each with what he does now.
var glances = []struct {
	state     containment.State
	says, now string
	command   func(incident.Record, containment.Outcome) string
}{
	{containment.Undone, "It was undone", "Run it again:", runs},
	{containment.Already, "Somebody has done it", "Run it again:", runs},
	{containment.DryRun, "It would be done", "If this is a theft, run:", runs},
	{containment.Done, "It is done", "If this was no theft, undo it:", func(_ incident.Record, o containment.Outcome) string { return o.Undo }},
	{containment.Drifted, "It HOLDS NO MORE", "Run it again:", runs},
	{containment.Asked, "To decide", "If this is a theft, run:", decides},
	{containment.Unknown, "Tried, and NOT SEEN DONE", "Run it yourself:", runs},
	{containment.Failed, "NOT DONE", "Run it yourself:", runs},
}

// runs is the line that a human would run; "" where there is none, or more than one.
func runs(_ incident.Record, o containment.Outcome) string {
	if len(o.Runbook) != 1 {
		return ""
	}
	return o.Runbook[0]
}

// decides is the line that approves a step, or where it cannot be approved, the one that does it.
func decides(r incident.Record, o containment.Outcome) string {
	if approvable(r, o) {
		return approves(r, o)
	}
	return runs(r, o)
}

// approves is the line that approves a step.
func approves(r incident.Record, o containment.Outcome) string {
	return o.Command("approve", r.ID, flags(r.Where())...)
}

// approvable reports whether a message says how a step is approved.
func approvable(r incident.Record, o containment.Outcome) bool {
	return o.Approvable() && len(o.Runbook) > 0 && !r.Once && r.Mode != containment.ModeObserve
}

// more counts the other steps of a state.
func more(all []containment.Outcome, state containment.State) string {
	n := -1
	for _, o := range all {
		if o.State == state {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %d more below", n)
}
