package incident

import (
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// BehindDue is the actor of a step that a human is asked about, where somebody stands behind him whom the trail was not seen to show yet.
func (r Record) BehindDue(o containment.Outcome) (evidence.Actor, bool) {
	if o.State != containment.Asked || len(o.Behind) > 0 {
		return evidence.Actor{}, false
	}
	for _, a := range r.Evidence.Actors {
		if o.Against(a) && containment.AsksOf(a) != containment.Nothing {
			return a, true
		}
	}
	return evidence.Actor{}, false
}
