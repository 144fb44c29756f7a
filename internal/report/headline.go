package report

import (
	"cmp"
	"fmt"
	"slices"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// words are the states of a step as a headline says them, the most urgent first.
var words = []struct {
	state containment.State
	word  string
}{
	{containment.Failed, "NOT CONTAINED"}, {containment.Unknown, "STATE UNKNOWN"}, {containment.Drifted, "DRIFTED"},
	{containment.Done, "CONTAINED"}, {containment.Asked, "DECIDE"}, {containment.DryRun, "DRY RUN"}, {containment.Already, "ALREADY OFF"},
	{containment.Undone, "UNDONE"},
}

// urgency is a state's place among the words; what has none comes last.
func urgency(s containment.State) int {
	for i, w := range words {
		if w.state == s {
			return i
		}
	}
	return len(words)
}

// headline is what happened, in a word or two.
func headline(r incident.Record) string {
	first, asked := len(words), 0
	for _, o := range r.Outcomes {
		first = min(first, urgency(o.State))
		if o.State == containment.Asked {
			asked++
		}
	}
	switch {
	case r.Alarm.Refused != "":
		return "NOT ANSWERED"
	case first < urgency(containment.Asked) && asked > 0:
		return fmt.Sprintf("%s, %d TO DECIDE", words[first].word, asked)
	case first < len(words):
		return words[first].word
	case r.Evidence.Engine == "":
		return "COULD NOT QUERY"
	case len(r.Evidence.Actors) == 0:
		return "NOBODY FOUND"
	}
	if a := lead(r); a != nil && a.Kind == actor.Unattributed {
		return "NOT ATTRIBUTED"
	}
	if r.Unsolved() != "" {
		return "NOT EXPLAINED"
	}
	return "NO ACTION"
}

// Subject is one line of ASCII under 100 characters.
func Subject(r incident.Record) string { return subject(headline(r), r) }

func subject(headline string, r incident.Record) string {
	s := "[nightlatch] " + headline + ": "
	if a := lead(r); a != nil {
		s += cmp.Or(prose.Safe(a.AccessKeyID), nick(*a)) + " took " + amount(r, *a) + " from " + prose.List(bucketsOf(r, *a))
	} else {
		if r.Alarm.Bytes != nil {
			s += prose.Bytes(*r.Alarm.Bytes) + " from "
		}
		s += prose.List(r.Alarm.Buckets)
	}
	if r.Alarm.Refused != "" {
		s = "[nightlatch] " + headline + ": alarm " + prose.Safe(r.Alarm.Name)
	}
	return clipped(s)
}

// nick is an actor without a key in a subject.
func nick(a evidence.Actor) string {
	if a.Kind == actor.Anonymous {
		return string(a.Kind)
	}
	return owner(a)
}

// clipped is a subject of under 100 characters.
func clipped(s string) string {
	if len(s) > subjectMost {
		s = s[:subjectMost-3] + "..."
	}
	return s
}

// lead is the actor that the answer is about: of those with the most urgent step, one who did more than it always does, and of these the one
// that took most; nil where nobody is suspected.
func lead(r incident.Record) *evidence.Actor {
	var best *evidence.Actor
	urgent := func(a evidence.Actor) int {
		first := len(words)
		for _, o := range r.Outcomes {
			if o.Against(a) {
				first = min(first, urgency(o.State))
			}
		}
		if first == urgency(containment.Already) {
			return len(words) // an old story, unless there is no other
		}
		return first
	}
	for i, a := range r.Evidence.Actors {
		if !suspected(r, a) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(urgent(*best), urgent(a)), r.Order(*best, a)) > 0 {
			best = &r.Evidence.Actors[i]
		}
	}
	return best
}

// amount is how much an actor took. A call without a byte count may have taken anything, and so may a copy: of who took nothing else, it is not known.
func amount(r incident.Record, a evidence.Actor) string {
	switch n := prose.Bytes(r.Evidence.Weight(a)); {
	case r.Evidence.Weight(a) == 0 && (a.Unsized > 0 || a.Copies > 0):
		return "? bytes"
	case a.Unsized == 0:
		return n
	default:
		return n + " and more"
	}
}

// bucketsOf are the buckets that an actor took from, the most bytes first; the alarm's where the record does not say.
func bucketsOf(r incident.Record, a evidence.Actor) []string {
	var names []string
	for name := range a.Buckets {
		names = append(names, name)
	}
	if len(names) == 0 {
		return r.Alarm.Buckets
	}
	slices.SortFunc(names, func(x, y string) int { return cmp.Or(cmp.Compare(a.Buckets[y], a.Buckets[x]), cmp.Compare(x, y)) })
	return names
}
