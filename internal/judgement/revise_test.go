package judgement

import (
	"testing"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
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

// What a human has approved is done as he has approved it, and not as it is planned later (simulation, seed 54399).
func TestWhatWasApprovedIsWhatIsIntended(t *testing.T) {
	step := func(name string) containment.Step {
		return containment.Step{Ref: containment.Ref{Name: name}, Order: &containment.Order{Incident: name}}
	}
	for by, want := range map[*containment.Approval]string{nil: "later", {By: "olga"}: "approved"} {
		rec := incident.Record{
			Outcomes: []containment.Outcome{{Action: policy.DenyRoleSession, Target: "etl", State: containment.Intended, Step: step("later")}},
			Verdicts: []incident.Verdict{{Action: policy.DenyRoleSession, Target: "etl", Decision: policy.Contain}},
		}
		revise(&rec, []containment.Outcome{{Action: policy.DenyRoleSession, Target: "etl", State: containment.Skipped, Step: step("approved"), Approved: by}},
			[]incident.Verdict{{Decision: policy.Ask}})
		if got := rec.Outcomes[0].Step.Ref.Name; got != want {
			t.Errorf("approved %v: the step is %q, want %q", by, got, want)
		}
	}
}

// Whom a human holds after it was contained is asked about: that is no evidence, and nothing is to be undone for it (simulation, seed 8442).
func TestAHoldTakesBackNothing(t *testing.T) {
	for why, regretted := range map[string]bool{"hold: olga restored this key": false, "ask-company: it may be a place of ours": true} {
		rec := incident.Record{
			Outcomes: []containment.Outcome{{Action: policy.DeactivateKey, Target: "AKIA", State: containment.Asked}},
			Verdicts: []incident.Verdict{{Action: policy.DeactivateKey, Target: "AKIA", Decision: policy.Ask, Reasons: []string{why}}},
		}
		rec.Evidence.Complete, rec.Evidence.HistoryDays, rec.Evidence.Seal.Sealed = true, new(int64(3)), evidence.Proved
		revise(&rec, []containment.Outcome{{Action: policy.DeactivateKey, Target: "AKIA", State: containment.Done}}, []incident.Verdict{{Decision: policy.Contain}})
		if o := rec.Outcomes[0]; o.State != containment.Done || o.Regretted != regretted {
			t.Errorf("%s: %s, regretted %t", why, o.State, o.Regretted)
		}
	}
}
