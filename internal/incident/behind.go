package incident

import (
	"slices"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// BehindDue is the actor of a step that a human is asked about, where somebody stands behind him whom the trail was not seen to show yet.
func (r Record) BehindDue(o containment.Outcome) (evidence.Actor, bool) {
	if o.State != containment.Asked || len(o.Behind) > 0 || o.ForAnother() {
		return evidence.Actor{}, false
	}
	if a, ok := r.against(o); ok && containment.AsksOf(a) != containment.Nothing {
		return a, true
	}
	return evidence.Actor{}, false
}

// SayOnce takes the commands that turn a key off out of what is said by hand, where turning it off is a step.
func (r *Record) SayOnce() {
	for _, step := range r.Outcomes {
		if step.Action != policy.DeactivateKey || !step.Step.Planned() || step.State == containment.Skipped {
			continue
		}
		for i, o := range r.Outcomes {
			if len(o.Behind) > 0 {
				r.Outcomes[i].Runbook = containment.Without(o.Runbook, step.Step.Target.Owner, step.Target)
			}
		}
	}
}

// against is the actor that a step is against, as far as the evidence has him.
func (r Record) against(o containment.Outcome) (evidence.Actor, bool) {
	for _, a := range r.Evidence.Actors {
		if o.Against(a) {
			return a, true
		}
	}
	return evidence.Actor{}, false
}

// maxLineage is how many actors of one incident are followed back: the first are those that took most.
const maxLineage = 5

// LineageOf are the actors whose credentials are followed back, and to what was made with them: those of whom a step is done or asked. due says
// that one of them was not asked about yet.
func (r Record) LineageOf() (actors []evidence.Actor, due bool) {
	known := map[string]bool{}
	for _, o := range r.Outcomes {
		a, ok := r.against(o)
		if !ok || o.State == containment.Skipped || a.AccessKeyID == "" || known[a.AccessKeyID] || len(actors) == maxLineage {
			continue
		}
		known[a.AccessKeyID] = true
		actors, due = append(actors, a), due || !r.Lineage.Holds(a.AccessKeyID)
	}
	return actors, due && r.MergedInto == ""
}

// CallersUnknown are the credentials that a step is about, as evidence.Callers names them, of which it is not known who else works with them.
func (r Record) CallersUnknown() (credentials []string) {
	for _, o := range r.Outcomes {
		a, ok := r.against(o)
		if id := a.CredentialID(); ok && o.State != containment.Skipped && r.MergedInto == "" && a.AlsoUsed == nil && id != "" && !slices.Contains(credentials, id) {
			credentials = append(credentials, id)
		}
	}
	return credentials[:min(len(credentials), maxLineage)]
}
