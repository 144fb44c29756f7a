package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
)

// notKnown says what the incident does not know.
func notKnown(b *writer, r incident.Record) {
	lines := unknowns(r)
	if len(lines) == 0 {
		return
	}
	fmt.Fprint(b, "\nNOT KNOWN\n")
	for _, l := range lines {
		b.item(l)
	}
}

// unknowns are what the incident does not know: each is something that a human may have to check.
func unknowns(r incident.Record) (lines []string) {
	e := r.Evidence
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if !e.Complete && !(len(e.Lost) > 0 && r.Complete()) {
		add("CloudTrail may still show more: two equal query rounds, five minutes after the window's end, were not seen")
	}
	if r.History == nil && e.HistoryDays == nil {
		why := ""
		if n := len(r.Rounds); n > 0 && r.Rounds[n-1].HistoryError != "" && r.Rounds[n-1].HistoryError != r.Rounds[n-1].Error {
			why = ": " + prose.Safe(r.Rounds[n-1].HistoryError)
		}
		add("what is usual for these principals: the 14 days before could not be read%s", why)
	}
	if p := e.Past(); p < evidence.HistorySpan && !e.OutsideTrail(alarm.Margin) {
		if p < time.Minute {
			add("what was usual earlier: the trail holds nothing from before the window")
		} else {
			add("what was usual earlier: the trail goes back %s before the window only", past(e))
		}
	}
	for _, part := range e.Unheld(alarm.Margin) {
		add("whether anything happened from %s: the trail holds calls from %s", prose.Window(part[0], part[1]), held(e))
	}
	for _, why := range e.Seal.Why {
		add("whether this evidence is CloudTrail's own, and all of it: %s", prose.Safe(why))
	}
	for i, lost := range e.Lost {
		if i == 5 {
			add("%d more pieces of evidence that could not be read", len(e.Lost)-i)
			break
		}
		add("lost evidence: %s", prose.Safe(lost))
	}
	if e.Unsized > 0 {
		add("the size of %s whose record has no byte count", prose.Plural(e.Unsized, "call"))
	}
	if e.Copies > 0 {
		add("the size of %s out of these buckets: no metric and no record shows it", prose.Plural(e.Copies, "server-side copy"))
	}
	switch {
	case e.MarginBytes > 0 && e.FallsShort():
		add("%s left in the minutes around the window: the bytes that are not explained may be among them", prose.Bytes(e.MarginBytes))
	case e.MarginBytes > 0:
		add("%s more left in the minutes around the window; they are not counted above", prose.Bytes(e.MarginBytes))
	}
	if slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool {
		return o.Action == policy.DeactivateKey && o.State != containment.Skipped
	}) {
		add("what else the key is used for: %s", unrecorded(r))
	}
	if r.DeedsMissing() {
		add("what was done in IAM, STS and by sign-in: the evidence does not hold all of their calls, so what is not shown may have happened. Give the deployment managementTrail")
	}
	if who := unknownUses(r); len(who) > 0 {
		add("who else works with %s, and would be cut off", prose.List(who))
	}
	if steps := unknownHits(r); len(steps) > 0 {
		add("whom these steps would hit beside the thief: %s", prose.List(steps))
	}
	if e.Others.Actors > 0 {
		add("who else: %s, with %s together, not listed", prose.Plural(e.Others.Actors, "further actor"), prose.Bytes(e.Others.Bytes))
	}
	if r.PolicyError != "" {
		add("the policy could not be loaded, so everything is asked: %s", prose.Safe(r.PolicyError))
	}
	if n := len(r.Rounds); n > 0 && r.Rounds[n-1].Error != "" {
		add("the last query round failed: %s", prose.Safe(r.Rounds[n-1].Error))
	}
	switch {
	case len(e.Actors) > 0 || e.Engine == "":
	case e.OutsideTrail(alarm.Margin):
		add("who it was. Give the trail of %s too", prose.Window(e.From, e.To))
	default:
		add("who it was. Check that data events of these buckets are logged, that the store is in the right region and not behind, " +
			"and whether the bytes were read by a copy or a replication")
	}
	return lines
}

// unrecorded says what the trail does not record of a key's use of S3.
func unrecorded(r incident.Record) string {
	switch r.Records {
	case settings.WatchedReads:
		return "this trail records no call to other buckets, but for copies"
	case settings.AllReads:
		return "this trail records the reads of every bucket of its regions, and no writes but copies"
	case settings.AllEvents:
		return "this trail records every data event of S3; other services have data events of their own"
	}
	if r.Records == settings.SomeEvents {
		return "this trail does not record every call to other buckets"
	}
	return "this trail may not record the calls to other buckets"
}

func timeline(b *writer, r incident.Record) {
	fmt.Fprint(b, "\nTIMELINE\n")
	log := r.Log
	if len(log) > 30 {
		fmt.Fprintf(b, "(the first %d entries are in the incident's JSON)\n", len(log)-30)
		log = log[len(log)-30:]
	}
	for _, e := range log {
		fmt.Fprint(b, e.At.UTC().Format("15:04:05"), "  ")
		b.lines(prose.Safe(e.What), 10)
	}
	b.lines(read(r), 0)
}

// read is what was read of CloudTrail, and how long that took.
func read(r incident.Record) string {
	took := ""
	if c := r.Evidence.Cost; c.QueuedMS > 0 || c.RanMS > 0 {
		took = fmt.Sprintf(", waited %.1f s and ran %.1f s", float64(c.QueuedMS)/1000, float64(c.RanMS)/1000)
	}
	return prose.Plural(int64(r.Evidence.Queries), "query") + " of CloudTrail read " + prose.Bytes(r.Evidence.BytesScanned) + took
}

// counts lists a map of numbers, the largest first.
func counts(m map[string]int64) string {
	keys := slices.SortedFunc(maps.Keys(m), func(x, y string) int { return cmp.Or(cmp.Compare(m[y], m[x]), cmp.Compare(x, y)) })
	var parts []string
	for i, k := range keys {
		if i == 6 {
			parts = append(parts, fmt.Sprintf("%d more", len(keys)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%s %d", prose.Safe(k), m[k]))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
