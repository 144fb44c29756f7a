package incident

import (
	"errors"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

const marasARN = "arn:aws:iam::111122223333:user/mara"

// reached is a record with a session of mara's, and those who are within reach of a step against her.
func reached(by map[evidence.Sort]evidence.Counted) (Record, evidence.Actor) {
	a := evidence.Actor{Kind: actor.IAMUserSession, AccessKeyID: "ASIAEXAMPLESESSION01", PrincipalID: "AIDAEXAMPLEMARA", PrincipalARN: marasARN, UserName: "mara"}
	hit := evidence.Hit{Reach: evidence.Reach{PrincipalID: "AIDAEXAMPLEMARA", ARN: marasARN}, Before: time.Date(2026, 3, 4, 0, 2, 0, 0, time.UTC), By: by}
	return Record{Evidence: evidence.Evidence{Actors: []evidence.Actor{a}}, Bystanders: []evidence.Hit{hit}}, a
}

func counted(n int64, ids ...string) evidence.Counted {
	c := evidence.Counted{Callers: n, Listed: []evidence.Bystander{}}
	for _, id := range ids {
		c.Listed = append(c.Listed, evidence.Bystander{ID: id, First: time.Date(2026, 2, 20, 0, 0, 0, 0, time.UTC)})
	}
	return c
}

// The thief, and what was made with his credential, are none of those whom a step hits beside him; a key is not hit by a denial of sessions.
func TestWhomAStepHits(t *testing.T) {
	deny, quarantine := containment.Step{Action: policy.DenyUserSessions}, containment.Step{Action: policy.QuarantineUser}
	made := &evidence.Tree{Nodes: []evidence.Node{{Kind: evidence.SessionNode, Parent: -1, Keys: []string{"ASIAEXAMPLESESSION01"}},
		{Kind: evidence.SessionNode, Parent: 0, Keys: []string{"ASIAEXAMPLEHEIR00001"}}, {Kind: evidence.SessionNode, Parent: 1, Keys: []string{"ASIAEXAMPLEHEIR00002"}, PrincipalID: "111122223333:loot"},
		{Kind: evidence.KeyNode, Parent: 0, Keys: []string{"AKIAEXAMPLEHEIR00003"}}}}
	two := map[evidence.Sort]evidence.Counted{evidence.ByKey: counted(2, "AKIAEXAMPLEFIRST0001", "AKIAEXAMPLEHEIR00003"), evidence.ByName: counted(2, "111122223333:loot", "111122223333:guest"),
		evidence.BySession: counted(3, "ASIAEXAMPLESESSION01", "ASIAEXAMPLEHEIR00001", "ASIAEXAMPLEHEIR00002")}
	for name, c := range map[string]struct {
		step    containment.Step
		lineage *evidence.Tree
		by      map[evidence.Sort]evidence.Counted
		want    int64
	}{
		"all of the user":                      {quarantine, nil, two, 5},
		"his sessions":                         {deny, nil, two, 3},
		"without what was made with it":        {quarantine, made, two, 2},
		"his sessions, without it":             {deny, made, two, 1},
		"nobody":                               {deny, nil, nil, 0},
		"many whose names are not all listed":  {quarantine, made, map[evidence.Sort]evidence.Counted{evidence.ByName: counted(2_000, "111122223333:loot", "111122223333:guest")}, 1_999},
		"the same sessions of one user, again": {deny, nil, map[evidence.Sort]evidence.Counted{evidence.BySession: counted(312, "ASIAEXAMPLEOTHER0001")}, 1},
	} {
		r, a := reached(c.by)
		r.Lineage = c.lineage
		hit := r.Hits(c.step, a)
		if hit == nil {
			t.Errorf("%s: not known", name)
			continue
		}
		if n, _ := hit.Callers(); n != c.want {
			t.Errorf("%s: %d others, want %d: %+v", name, n, c.want, hit.By)
		}
	}

	// A step on what was made with it is against the same thief. The evidence does not have it.
	r, _ := reached(two)
	r.Lineage = made
	o := containment.Outcome{Action: policy.DenyUserSessions, AccessKeyID: "ASIAEXAMPLEHEIR00001", Step: containment.Step{Action: policy.DenyUserSessions, Target: policy.Target{Type: policy.User, ID: marasARN}}}
	if hit := r.Hits(o.Step, r.ActorOf(o)); hit == nil || len(hit.By) != 1 || hit.By[evidence.ByName].Callers != 1 {
		t.Errorf("got %+v", hit)
	}
}

// What was not asked, or not answered, is not known, and never nobody.
func TestWhomAStepHitsIsNotKnown(t *testing.T) {
	r, a := reached(nil)
	deny := containment.Step{Action: policy.DenyUserSessions}
	for name, change := range map[string]func(*Record, *evidence.Actor){
		"not asked": func(r *Record, _ *evidence.Actor) { r.Bystanders = nil },
		"of another user": func(_ *Record, a *evidence.Actor) {
			a.PrincipalID, a.PrincipalARN = "AIDAEXAMPLEOTTO", "arn:aws:iam::111122223333:user/otto"
		},
		"of nobody":        func(_ *Record, a *evidence.Actor) { a.PrincipalID, a.PrincipalARN = "", "" },
		"only on a bucket": func(r *Record, _ *evidence.Actor) { r.Bystanders[0].Bucket = "exports" },
	} {
		r, a := r, a
		r.Bystanders = append([]evidence.Hit{}, r.Bystanders...)
		if change(&r, &a); r.Hits(deny, a) != nil {
			t.Errorf("%s: got %+v", name, r.Hits(deny, a))
		}
	}
	if r.Hits(deny, a) == nil {
		t.Error("known, and not found")
	}
	if r.Hits(containment.Step{Action: policy.DeactivateKey}, a) != nil {
		t.Error("a step on one key hits others")
	}

	if aims := r.AimsOf(a, deny); len(aims) != 0 {
		t.Errorf("what is known is asked again: %+v", aims)
	}
	r.Bystanders = nil
	if aims := r.AimsOf(a, deny); len(aims) != 1 || len(aims[0].Without) != 1 || aims[0].Without[0] != a.AccessKeyID {
		t.Errorf("got %+v", aims)
	}
	if why := r.TookBystanders(time.Time{}, nil, evidence.Answer{}, errors.New("no")); why != "no" || r.BystandersAsked != 1 || r.Bystanders != nil {
		t.Errorf("got %q, %+v", why, r)
	}
	if r.TookBystanders(time.Time{}, nil, evidence.Answer{}, evidence.ErrBudget); r.BystandersAsked != MaxHistory {
		t.Errorf("what goes over the budget is asked again: %d", r.BystandersAsked)
	}
}
