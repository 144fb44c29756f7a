package incident

import (
	"slices"
	"testing"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// Whose suspects are gone through: a user of ours whom a step is about, once, with two keys too; no role, nobody of whom nothing is asked.
func TestWhoIsSuspected(t *testing.T) {
	r := Record{Alarm: alarm.Alarm{Buckets: []string{"exports", "other"}}}
	for _, c := range []struct {
		key, user string
		kind      actor.Kind
		state     containment.State
	}{
		{"AKIA1", "mara", actor.IAMUserKey, containment.Done},
		{"AKIA2", "mara", actor.IAMUserKey, containment.Asked},
		{"AKIA3", "bob", actor.IAMUserKey, containment.Skipped},
		{"ASIA4", "etl", actor.RoleSession, containment.Asked},
		{"AKIA5", "", actor.IAMUserKey, containment.Asked},
		{"AKIA6", "eve", actor.IAMUserKey, containment.Failed},
	} {
		r.Evidence.Actors = append(r.Evidence.Actors, evidence.Actor{AccessKeyID: c.key, UserName: c.user, Kind: c.kind})
		r.Outcomes = append(r.Outcomes, containment.Outcome{Action: policy.DeactivateKey, Target: c.key, AccessKeyID: c.key, State: c.state})
	}
	buckets, users := r.Suspected()
	if !slices.Equal(buckets, []string{"exports", "other"}) || !slices.Equal(users, []string{"mara", "eve"}) {
		t.Errorf("got %v and %v", buckets, users)
	}
}
