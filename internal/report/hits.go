package report

import (
	"fmt"
	"strings"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// Hits says whom a step hits beside the thief; "" where it hits one credential or person alone, and NOT KNOWN where that is not known.
func Hits(r incident.Record, o containment.Outcome) string {
	hit := r.Hits(o.Step, r.ActorOf(o))
	if hit == nil {
		if _, broad := containment.HitOf(o.Step, r.ActorOf(o)); broad {
			return "whom beside the thief is NOT KNOWN"
		}
		return ""
	}
	span := "the 14 days before"
	if r.Evidence.Past() < evidence.HistorySpan {
		span = "the " + past(r.Evidence) + " before that the trail holds"
	}
	if hit.Short && r.Evidence.Past() >= evidence.HistorySpan {
		span += ", of the first of which the trail shows no call"
	}
	all, fresh := hit.Callers()
	text := "nobody else that the trail shows in " + span
	if all > 0 {
		text = prose.Plural(all, "other caller") + " of " + span + ": " + strings.Join(sorts(*hit, o.Action), "; ") + "; the last worked " + lapse(r.Alarm.From.Sub(hit.Last())) + " before"
	}
	if fresh > 0 {
		text += fmt.Sprintf("; %d of them NEW in the last 24 hours, perhaps the thief too", fresh)
	}
	if hit.Partial {
		text += "; a part of the trail could not be read, so that it may be MORE"
	}
	if o.Action == policy.BlockPublicAccess && all > hit.By[evidence.ByNetwork].Callers {
		text += ". Other accounts lose it where the policy of the bucket is public"
	}
	return text
}

// sorts are a hit's callers by their sorts, with the names of those who worked last.
func sorts(hit evidence.Hit, action policy.Action) (parts []string) {
	for _, s := range []struct {
		sort      evidence.Sort
		one, rest string
	}{
		{evidence.ByKey, "key", ""}, {evidence.ByName, "named caller", ""}, {evidence.ByMachine, "session", " that a machine has named"},
		{evidence.BySession, "session", " without a name"}, {evidence.ByNetwork, "network", " without credentials"},
	} {
		of := hit.By[s.sort]
		if of.Callers == 0 {
			continue
		}
		if action == policy.BlockPublicAccess && s.sort != evidence.ByNetwork {
			s.one, s.rest = "caller", " of other accounts"
		}
		if s.sort == evidence.BySession && of.Callers > 1 && hit.OneUser() {
			s.rest += ", one user's and counted once"
		}
		parts = append(parts, prose.Plural(of.Callers, s.one)+s.rest+listed(of, s.sort))
	}
	return parts
}

// listed are a few of a sort by name, in brackets.
func listed(of evidence.Counted, sort evidence.Sort) string {
	var names []string
	for _, b := range of.Listed[:min(len(of.Listed), toldPlaces)] {
		id := b.ID
		if _, name, named := strings.Cut(id, ":"); named && sort != evidence.ByNetwork { // behind the principal's id
			id = name
		}
		names = append(names, short(id, 40))
	}
	if len(names) == 0 {
		return ""
	}
	if more := of.Callers - int64(len(names)); more > 0 {
		names[len(names)-1] += fmt.Sprintf(" and %d more", more)
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// unknownHits are the steps of which it is not known whom they hit beside the thief.
func unknownHits(r incident.Record) (steps []string) {
	for _, o := range r.Outcomes {
		a := r.ActorOf(o)
		if _, broad := containment.HitOf(o.Step, a); broad && o.State != containment.Skipped && r.Hits(o.Step, a) == nil && r.MergedInto == "" {
			steps = append(steps, string(o.Action)+" "+o.Target)
		}
	}
	return steps
}
