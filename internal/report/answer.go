package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// Answer is who took what, in one sentence.
func Answer(r incident.Record) string {
	if r.Alarm.Refused != "" {
		return "Alarm " + prose.Safe(r.Alarm.Name) + " is wired to Nightlatch and fired, and cannot be answered: " + prose.Safe(r.Alarm.Refused)
	}
	a := lead(r)
	window := prose.Window(r.Alarm.From, r.Alarm.To)
	if a == nil {
		return nobody(r) + " (" + prose.List(r.Alarm.Buckets) + ", " + window + ")" + around(r, nil)
	}
	return fmt.Sprintf("%s %s from %s, %s, %s%s", prose.Capital(Who(*a)), took(r, *a), prose.List(bucketsOf(r, *a)), window, from(r, *a), behind(r, *a)+around(r, a))
}

// around says how much more left around the window than in it: the theft may lie there. "" where that is said of the lead already, or is less.
func around(r incident.Record, lead *evidence.Actor) string {
	e := r.Evidence
	if e.MarginBytes <= e.Bytes || lead != nil && extra(r, *lead) > 0 {
		return ""
	}
	text := "; in the minutes around the window " + prose.Bytes(e.MarginBytes) + " left"
	if most := slices.MaxFunc(e.Actors, func(x, y evidence.Actor) int { return cmp.Compare(x.MarginBytes, y.MarginBytes) }); most.MarginBytes > 0 {
		text += ", the most of it, " + prose.Bytes(most.MarginBytes) + ", by " + Who(most)
	}
	return text
}

// extra are the bytes that an actor took in the minutes around the window, where they belong into the answer: where the window does not explain
// the alarm, and where they are more than those in it.
func extra(r incident.Record, a evidence.Actor) int64 {
	if r.Evidence.FallsShort() || a.MarginBytes > a.Bytes {
		return a.MarginBytes
	}
	return 0
}

func took(r incident.Record, a evidence.Actor) string {
	copied := "made " + prose.Plural(a.Copies, "server-side copy") + " of unknown size"
	if a.Copies > 0 && a.Bytes == 0 && a.Unsized == 0 && extra(r, a) == 0 {
		return copied
	}
	t := "took " + prose.Bytes(a.Bytes)
	if a.Unsized > 0 {
		if a.Bytes == 0 {
			t = "took an UNKNOWN number of bytes"
		}
		t += " (" + prose.Plural(a.Unsized, "call") + " without a byte count)"
	}
	if a.Share != nil && (a.Bytes > 0 || a.Unsized == 0) {
		t += " (" + percent(*a.Share) + " of the alarmed bytes)"
	}
	if a.Objects > 0 {
		t += " in " + prose.Plural(a.Objects, "object")
	}
	if more := extra(r, a); more > 0 {
		t += " and " + prose.Bytes(more) + " in the minutes around the window"
	}
	if a.Copies > 0 {
		t += " and " + copied
	}
	return t
}

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
	case r.Evidence.OutsideTrail(alarm.Margin):
		return "The window lies outside of the trail, which holds calls from " + held(r.Evidence)
	}
	return "CloudTrail shows no S3 data events: is data-event logging on for this bucket?"
}

// held is from when to when the trail goes.
func held(e evidence.Evidence) string {
	return e.TrailFrom.UTC().Format(time.DateTime) + " to " + e.TrailTo.UTC().Format(time.DateTime) + " UTC"
}

// answer is the headline and who it was.
func answer(b *writer, r incident.Record) {
	fmt.Fprintf(b, "%s\n\n", headline(r))
	b.lines(Answer(r)+".", 0)
}

// steps are what was done, what a human has to decide, and how sure all of it is.
func steps(b *writer, r incident.Record) {
	fmt.Fprintln(b)
	for i := range r.Outcomes {
		if i == maxOutcomes {
			field(b, "And", fmt.Sprintf("%d more steps, in the incident's JSON", len(r.Outcomes)-i))
			break
		}
		outcome(b, r, i)
	}
	about(b, r)
}

// about is what is said of all steps: why there is none, and how sure they are.
func about(b *writer, r incident.Record) {
	if len(r.Outcomes) == 0 {
		field(b, "No step", noStep(r))
	}
	if why := r.Unsolved(); why != "" {
		field(b, "YOU DECIDE", "who took these bytes: "+why+". Find out; until then this is repeated, and escalated")
	}
	if r.Alarm.AccessKeyID != "" {
		field(b, "You asked", suspect(r))
	}
	if r.Alarm.Composite != "" {
		field(b, "Rang through", "composite alarm "+prose.Safe(r.Alarm.Composite))
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
			return prose.Safe(a.AccessKeyID) + " " + took(r, a) + ", " + from(r, a)
		}
	}
	return prose.Safe(r.Alarm.AccessKeyID) + " is not among the actors"
}

func unexplained(r incident.Record) string {
	e := r.Evidence
	switch {
	case e.Engine == "":
		return "everything: CloudTrail has not answered"
	case r.Alarm.Counts != "":
		return "not known: the metric does not count all of what CloudTrail shows"
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

// stepOf names a step, and which credential of its target it is against.
func stepOf(o containment.Outcome) string {
	step := prose.Safe(string(o.Action)) + " " + prose.Safe(o.Target)
	switch order := o.Step.Order; {
	case o.Step.Ref.Type == containment.KeyStatus:
		step += " of " + prose.Safe(o.Step.Target.Owner)
	case order != nil && order.UserID != "":
		step += ", " + prose.Safe(order.UserID)
	case order != nil && len(order.Networks) > 0:
		step += ", " + prose.List(order.Networks)
	}
	return step
}

func outcome(b *writer, r incident.Record, i int) {
	o := r.Outcomes[i]
	step := stepOf(o)
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
	if m, ok := r.Lineage.MintingOf(o.AccessKeyID); ok && o.ForAnother() && m.Key == o.Target {
		field(b, "It minted", minting(m))
	}
	if m, ok := r.Lineage.MadeKey(o.Target); ok && o.Action == policy.DeactivateKey {
		field(b, "Made by", madeKey(m))
	}
	if broken := breaks(r, o); broken != "" {
		field(b, map[bool]string{true: "Breaks", false: "Would break"}[o.Watched()], broken)
	}
	if hits := Hits(r, o); hits != "" {
		field(b, map[bool]string{true: "Hits", false: "Would hit"}[o.Watched()], hits)
	}
	sources(b, r, o)
	for _, line := range o.Runbook {
		raw(b, "Run", line)
	}
	if approvable(r, o) {
		raw(b, "Or", approves(r, o))
	}
	if o.Undo != "" {
		raw(b, "To undo", o.Undo)
	}
	if o.Step.Ref.Type == containment.KeyStatus && !o.Step.Before.Absent {
		field(b, "Still open", "sessions that this key minted outlive it by up to 36 hours; turning it off does not cut them")
	}
}

// notConfirmed says why CloudWatch does not confirm an alarm; "" where it does.
func notConfirmed(r incident.Record) string {
	if r.Alarm.Confirmed && r.Alarm.Bytes != nil {
		return ""
	}
	return "NOT CONFIRMED by CloudWatch: " + prose.Safe(cmp.Or(r.MetricError, r.Alarm.Doubt, "it was not asked"))
}

func sure(r incident.Record) string {
	var parts []string
	a, e := r.Alarm, r.Evidence
	switch {
	case a.Confirmed && a.Bytes != nil && a.Given != "":
		parts = append(parts, prose.Safe(a.Given)+" "+prose.Bytes(*a.Bytes)+", and no CloudWatch was asked")
		if e.Seal.Sealed == evidence.Proved {
			parts = append(parts, "the trail counts as sealed")
		}
	case a.Confirmed && a.Bytes != nil:
		parts = append(parts, "CloudWatch confirms "+prose.Bytes(*a.Bytes))
	default:
		parts = append(parts, notConfirmed(r))
	}
	if a.Counts != "" {
		parts = append(parts, counted(a))
	}
	if e.Explained != nil {
		parts = append(parts, "CloudTrail explains "+percent(*e.Explained))
	}
	switch {
	case e.Engine == "":
		parts = append(parts, "there is NO EVIDENCE")
	case e.OutsideTrail(alarm.Margin):
		parts = append(parts, "there is NO EVIDENCE of this time")
	case len(e.Lost) > 0:
		parts = append(parts, "a part of the evidence is LOST")
	case e.Complete && len(e.Unheld(alarm.Margin)) > 0:
		parts = append(parts, "the trail does not show ALL OF THIS TIME")
	case e.Complete && e.FallsShort() && r.Searching():
		parts = append(parts, "the evidence SEEMS complete, and more is looked for")
	case e.Complete:
		parts = append(parts, "the evidence is complete")
	case slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Contained() && o.Approved == nil }):
		parts = append(parts, "the evidence is NOT COMPLETE, and what may still come cannot clear it")
	default:
		parts = append(parts, "the evidence is NOT COMPLETE")
	}
	switch e.Seal.Sealed {
	case evidence.Stated:
		parts = append(parts, "that nobody else can write the trail is STATED, not read")
	case evidence.Open:
		parts = append(parts, "the trail is NOT SEALED")
	}
	switch {
	case a.CopiedTo != "":
		parts = append(parts, "S3 ITSELF COPIED objects to "+prose.Safe(a.CopiedTo)+", where none of this bucket was copied before; no alarm fires for that")
	case a.Source == alarm.Manual:
		parts = append(parts, "asked by a manual event")
	}
	return strings.Join(parts, "; ")
}

// counted says that the metric and CloudTrail do not count the same.
func counted(a alarm.Alarm) string {
	return "this metric counts a part of the bucket: " + prose.Safe(a.Counts) + ", where CloudTrail shows the whole bucket"
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
