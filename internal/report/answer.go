package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// Answer is who took what, in one sentence.
func Answer(r incident.Record) string {
	a := lead(r)
	window := prose.Window(r.Alarm.From, r.Alarm.To)
	if a == nil {
		return nobody(r) + " (" + prose.List(r.Alarm.Buckets) + ", " + window + ")"
	}
	return fmt.Sprintf("%s %s from %s, %s, %s", capital(Who(*a)), took(r, *a), prose.List(bucketsOf(r, *a)), window, from(*a))
}

func took(r incident.Record, a evidence.Actor) string {
	t := "took " + prose.Bytes(a.Bytes)
	if a.Share != nil {
		t += " (" + percent(*a.Share) + " of the alarmed bytes)"
	}
	if a.Objects > 0 {
		t += " in " + prose.Plural(a.Objects, "object")
	}
	if extra := Weight(r, a) - a.Bytes; extra > 0 {
		t += " and " + prose.Bytes(extra) + " in the minutes around the window"
	}
	if a.Copies > 0 {
		t += " and made " + prose.Plural(a.Copies, "server-side copy") + " of unknown size"
	}
	return t
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// nobody says why CloudTrail may show no one.
func nobody(r incident.Record) string {
	n := len(r.Rounds)
	switch {
	case len(r.Alarm.Buckets) == 0:
		return "The alarm names no bucket to ask about"
	case n == 0:
		return "CloudTrail was not asked"
	case r.Evidence.Engine == "":
		return "CloudTrail could not be asked: " + prose.Safe(r.Rounds[n-1].Error)
	case r.Evidence.Unsized > 0:
		return "CloudTrail shows " + prose.Plural(r.Evidence.Unsized, "call") + " without a byte count: who took the bytes is NOT KNOWN"
	case r.Evidence.Calls > 0:
		return "Nobody took bytes in the window: the calls that CloudTrail shows moved none"
	case len(r.Evidence.Actors) > 0:
		return "Nobody took bytes in the window: CloudTrail shows calls only around it"
	}
	return "CloudTrail shows no S3 data events: is data-event logging on for this bucket?"
}

func answer(b *strings.Builder, r incident.Record) {
	fmt.Fprintf(b, "%s\n\n", headline(r))
	for _, line := range wrap(Answer(r)+".", width) {
		fmt.Fprintln(b, line)
	}
	fmt.Fprintln(b)
	if len(r.Outcomes) == 0 {
		field(b, "No step", noStep(r))
	}
	for i := range r.Outcomes {
		if i == maxOutcomes {
			field(b, "And", fmt.Sprintf("%d more steps, in the incident's JSON", len(r.Outcomes)-i))
			break
		}
		outcome(b, r, i)
	}
	if r.Alarm.AccessKeyID != "" {
		field(b, "You asked", suspect(r))
	}
	field(b, "How sure", sure(r))
	field(b, "Unexplained", unexplained(r))
}

// noStep says why there is nothing to do, or nothing that could be done.
func noStep(r incident.Record) string {
	switch {
	case r.Evidence.Engine == "":
		return "it is NOT KNOWN who took the bytes"
	case lead(r) == nil:
		return "there is no credential to act on"
	}
	return "everybody's part was too small to be judged"
}

// suspect says what the key did that a manual event asks about.
func suspect(r incident.Record) string {
	for _, a := range r.Evidence.Actors {
		if a.AccessKeyID == r.Alarm.AccessKeyID {
			return prose.Safe(a.AccessKeyID) + " " + took(r, a) + ", " + from(a)
		}
	}
	return prose.Safe(r.Alarm.AccessKeyID) + " is not among the actors"
}

func unexplained(r incident.Record) string {
	e := r.Evidence
	switch {
	case e.Engine == "":
		return "everything: CloudTrail has not answered"
	case e.Unexplained == nil || e.Explained == nil || r.Alarm.Bytes == nil:
		return "not known: the alarmed bytes are not known"
	case *e.Unexplained == 0 && *e.Explained > 1:
		return "nothing; CloudTrail shows " + prose.Bytes(e.Bytes-*r.Alarm.Bytes) + " more than the metric"
	case *e.Unexplained == 0:
		return "nothing"
	}
	return prose.Bytes(*e.Unexplained) + " of " + prose.Bytes(*r.Alarm.Bytes)
}

// maxOutcomes is how many steps the answer spells out.
const maxOutcomes = 12

func outcome(b *strings.Builder, r incident.Record, i int) {
	o := r.Outcomes[i]
	step := prose.Safe(string(o.Action)) + " " + prose.Safe(o.Target)
	if o.Step.Planned() {
		step += " of " + prose.Safe(o.Step.Target.Owner)
	}
	detail := ""
	if o.Detail != "" {
		detail = " (" + prose.Safe(o.Detail) + ")"
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
		field(b, "No action", prose.Safe(o.Target)+": no "+prose.Safe(string(o.Action)))
		return
	case containment.Failed:
		field(b, "NOT DONE", step+detail)
	case containment.Undone:
		field(b, "Undone", step+" at "+o.At.UTC().Format(time.TimeOnly)+detail)
	case containment.Drifted:
		field(b, "DRIFTED", step+detail)
	default:
		field(b, "UNKNOWN", step+": tried, and not seen done"+detail)
	}
	if o.Approved != nil {
		field(b, "Approved by", prose.Safe(o.Approved.By)+" at "+o.Approved.At.UTC().Format(time.TimeOnly))
	}
	for _, line := range o.Runbook {
		raw(b, "Run", line)
	}
	if o.State == containment.Asked && o.Step.Planned() && !r.Once && r.Mode != containment.ModeObserve {
		raw(b, "Or", o.Command("approve", r.ID, flags(r.Where())...))
	}
	if o.Undo != "" {
		raw(b, "To undo", o.Undo)
	}
	if o.Step.Planned() && !o.Step.Before.Absent {
		field(b, "Still open", "sessions that this key minted outlive it by up to 36 hours; Nightlatch does not cut them yet")
	}
}

func sure(r incident.Record) string {
	var parts []string
	a, e := r.Alarm, r.Evidence
	switch {
	case a.Confirmed && a.Bytes != nil:
		parts = append(parts, "CloudWatch confirms "+prose.Bytes(*a.Bytes))
	default:
		parts = append(parts, "NOT CONFIRMED by CloudWatch: "+prose.Safe(cmp.Or(r.MetricError, a.Doubt, "it was not asked")))
	}
	if e.Explained != nil {
		parts = append(parts, "CloudTrail explains "+percent(*e.Explained))
	}
	switch {
	case e.Engine == "":
		parts = append(parts, "there is NO EVIDENCE")
	case e.Complete:
		parts = append(parts, "the evidence is complete")
	default:
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
	case x >= 10:
		return fmt.Sprintf("%.0f times", x)
	}
	return fmt.Sprintf("%.1f %%", x*100)
}
