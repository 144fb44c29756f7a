package judgement

import (
	"cmp"
	"slices"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// Aims are what to ask the trail of whom steps would hit beside the thief: the steps of the verdict, and those against the actors that would be
// judged now. None are due where that was asked often enough: each time is billed.
func Aims(r incident.Record) []evidence.Aim {
	if r.BystandersAsked >= incident.MaxHistory || r.MergedInto != "" {
		return nil
	}
	var all []evidence.Aim
	add := func(aims []evidence.Aim) {
		for _, aim := range aims {
			if !slices.ContainsFunc(all, func(known evidence.Aim) bool { return known.Same(aim.Reach) }) {
				all = append(all, aim)
			}
		}
	}
	for _, o := range r.Outcomes {
		if o.State != containment.Skipped {
			add(r.AimsOf(r.ActorOf(o), o.Step))
		}
	}
	actors := slices.Clone(r.Evidence.Actors)
	slices.SortStableFunc(actors, r.Order)
	for _, a := range actors {
		if partition := cmp.Or(actor.Partition(a.PrincipalARN), r.Alarm.Partition()); material(r, FactsOf(r, a), a) {
			add(r.AimsOf(a, containment.ByHand(a, policy.Target{}, partition, time.Time{})...))
		}
	}
	return evidence.Aims(all)
}
