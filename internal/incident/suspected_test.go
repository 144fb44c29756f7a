package incident

import (
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// Whose suspects are gone through: a user or a role of ours that a step is about, once, with two keys too, and nobody of whom nothing is asked.
func TestWhoIsSuspected(t *testing.T) {
	r := Record{Alarm: alarm.Alarm{Buckets: []string{"exports", "other"}}}
	for _, c := range []struct {
		key, name string
		kind      actor.Kind
		state     containment.State
	}{
		{"AKIA1", "mara", actor.IAMUserKey, containment.Done},
		{"AKIA2", "mara", actor.IAMUserKey, containment.Asked},
		{"AKIA3", "bob", actor.IAMUserKey, containment.Skipped},
		{"ASIA4", "etl", actor.RoleSession, containment.Asked},
		{"ASIA7", "etl", actor.RoleSession, containment.Asked},
		{"ASIA8", "AWSReservedSSO_admin_0", actor.IdentityCenter, containment.Asked},
		{"ASIA9", "", actor.IdentityCenter, containment.Asked},
		{"ASIA10", "web", actor.RoleSession, containment.Skipped},
		{"ASIA11", "theirs", actor.OtherAccount, containment.Asked},
		{"AKIA5", "", actor.IAMUserKey, containment.Asked},
		{"AKIA6", "eve", actor.IAMUserKey, containment.Failed},
	} {
		a := evidence.Actor{AccessKeyID: c.key, UserName: c.name, Kind: c.kind}
		if strings.HasPrefix(c.key, "ASIA") {
			a.UserName, a.RoleName = "", c.name
		}
		r.Evidence.Actors = append(r.Evidence.Actors, a)
		r.Outcomes = append(r.Outcomes, containment.Outcome{Action: policy.DeactivateKey, Target: c.key, AccessKeyID: c.key, State: c.state})
	}
	buckets, users, roles := r.Suspected()
	if !slices.Equal(buckets, []string{"exports", "other"}) || !slices.Equal(users, []string{"mara", "eve"}) || !slices.Equal(roles, []string{"etl", "AWSReservedSSO_admin_0"}) {
		t.Errorf("got %v, %v and %v", buckets, users, roles)
	}
}
