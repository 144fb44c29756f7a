package judgement

import (
	"testing"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// A human has approved a step that was then left to another incident. Later evidence has it done here (simulation, seed 9234).
func TestAnApprovalOutlivesALaterVerdict(t *testing.T) {
	by := &containment.Approval{By: "olga"}
	for state, want := range map[containment.State]struct {
		state    containment.State
		approved bool
	}{
		containment.Intended: {containment.Intended, true}, // it is to be done, and was approved
		containment.Asked:    {containment.Skipped, true},  // another incident has it
	} {
		rec := incident.Record{
			Outcomes: []containment.Outcome{{Action: policy.DeactivateKey, Target: "AKIA", State: state}},
			Verdicts: []incident.Verdict{{Action: policy.DeactivateKey, Target: "AKIA", Decision: policy.Contain}},
		}
		revise(&rec, []containment.Outcome{{Action: policy.DeactivateKey, Target: "AKIA", State: containment.Skipped, Approved: by}},
			[]incident.Verdict{{Decision: policy.Ask}})
		if o := rec.Outcomes[0]; o.State != want.state || (o.Approved == by) != want.approved {
			t.Errorf("judged %s: %s, approved %v, want %+v", state, o.State, o.Approved, want)
		}
	}
	// Nor is it forgotten where its actor is seen no more (seed 1724).
	var rec incident.Record
	revise(&rec, []containment.Outcome{{Action: policy.DeactivateKey, Target: "AKIA", State: containment.Skipped, Approved: by}}, []incident.Verdict{{Decision: policy.Ask}})
	if len(rec.Outcomes) != 1 || len(rec.Verdicts) != 1 || rec.Outcomes[0].Approved != by {
		t.Errorf("an actor that is seen no more: %+v", rec.Outcomes)
	}
}
