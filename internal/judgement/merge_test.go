package judgement

import (
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

func stepAt(state containment.State, at time.Time) containment.Outcome {
	return containment.Outcome{Action: policy.DenyRoleSession, Target: "etl", AccessKeyID: "ASIA", State: state, At: at, Attempts: 1}
}

// Whoever has done something keeps his story, also where a human has undone it since (simulation, seed 17994).
func TestWhatWasDoneAndUndoneIsNotMerged(t *testing.T) {
	lead := incident.Record{ID: "lead", Outcomes: []containment.Outcome{stepAt(containment.Asked, time.Time{})}}
	for state, want := range map[containment.State]bool{containment.Asked: true, containment.Done: false, containment.Drifted: false, containment.Undone: false} {
		r := incident.Record{ID: "r", Outcomes: []containment.Outcome{stepAt(state, time.Time{})}}
		if _, _, merged := Merge(r, []*incident.Record{&lead}, "", Limits{}); merged != want {
			t.Errorf("%s: merged %t, want %t", state, merged, want)
		}
	}
}

// What fails in two incidents fails once a minute and not in turns: each try would count among the containments of the hour, and soon nobody else
// would be contained (simulation, seed 54399).
func TestWhatFailedHereFailedInTheLead(t *testing.T) {
	now := time.Date(2026, 3, 4, 0, 11, 0, 0, time.UTC)
	failed := incident.Record{ID: "lead", Outcomes: []containment.Outcome{stepAt(containment.Failed, now.Add(-time.Hour))}}
	r := incident.Record{ID: "r", Outcomes: []containment.Outcome{stepAt(containment.Failed, now)}}
	lead, _, merged := Merge(r, []*incident.Record{&failed}, "", Limits{Now: now})
	if !merged || !lead.Outcomes[0].At.Equal(now) || !failed.Outcomes[0].At.Equal(now.Add(-time.Hour)) {
		t.Fatalf("merged %t, and the lead has %+v", merged, lead.Outcomes)
	}
	r.Outcomes[0].State = containment.Intended
	for after, want := range map[time.Duration]bool{0: true, incident.PageCooldown: false} {
		if _, _, merged := Merge(r, []*incident.Record{&lead}, "", Limits{Now: now.Add(after)}); merged != want {
			t.Errorf("intended again after %v: left to the lead %t, want %t", after, merged, want)
		}
	}
}
