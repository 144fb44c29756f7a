package incident

import (
	"cmp"
	"slices"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// ActorOf is the actor that a step is against. What was made with an actor's credential is none of the evidence: the step says what is known of it.
func (r Record) ActorOf(o containment.Outcome) evidence.Actor {
	if a, ok := r.against(o); ok {
		return a
	}
	return evidence.Actor{AccessKeyID: o.AccessKeyID, PrincipalARN: cmp.Or(o.Step.Target.OwnerARN, o.Step.Target.ID)}
}

// Hits is whom a step hits beside the actor that it is against and what was made with its credential; nil where that is not known, or where the
// step hits one credential or person alone.
func (r Record) Hits(s containment.Step, a evidence.Actor) *evidence.Hit {
	reach, broad := containment.HitOf(s, a)
	i := slices.IndexFunc(r.Bystanders, func(h evidence.Hit) bool { return h.Same(reach) })
	if !broad || !reach.Askable() || i < 0 {
		return nil
	}
	hit := r.Bystanders[i].Less(r.thief(a), s.Spares()...)
	return &hit
}

// thief are the actor and what was made with its credential, as bystanders are called. Where the actor itself was made with another's, that is the same
// thief.
func (r Record) thief(a evidence.Actor) []string {
	ids := a.CallerIDs()
	for _, of := range append(slices.Clip(r.Evidence.Actors), a) {
		if of.AccessKeyID == "" {
			continue
		}
		made := r.Lineage.MadeWith(of.AccessKeyID)
		if of.AccessKeyID != a.AccessKeyID && !slices.ContainsFunc(made, func(n evidence.Node) bool { return slices.Contains(n.Keys, a.AccessKeyID) }) {
			continue
		}
		ids = append(ids, of.CallerIDs()...)
		for _, n := range made {
			ids = append(append(ids, n.Keys...), n.PrincipalID)
		}
	}
	return ids
}

// AimsOf are what steps against an actor hit, where they hit more than one credential and it is not known whom.
func (r Record) AimsOf(a evidence.Actor, steps ...containment.Step) (aims []evidence.Aim) {
	for _, s := range steps {
		reach, broad := containment.HitOf(s, a)
		if broad && reach.Askable() && r.Hits(s, a) == nil {
			aims = append(aims, evidence.Aim{Reach: reach, Without: a.CallerIDs()})
		}
	}
	return aims
}
