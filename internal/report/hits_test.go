package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// within is an incident with a step against an actor, and who is within its reach.
func within(a evidence.Actor, action policy.Action, state containment.State, hit *evidence.Hit) incident.Record {
	r := theft()
	r.Evidence.Actors = []evidence.Actor{a}
	target := policy.Target{Type: policy.User, ID: a.PrincipalARN}
	if action == policy.BlockPublicAccess {
		target = containment.BucketTarget("aws", "customer-exports")
	}
	o := containment.Outcome{Action: action, Target: target.ID, AccessKeyID: a.AccessKeyID, Who: a.Who(), State: state, Step: containment.Step{Action: action, Target: target}}
	r.Outcomes, r.Verdicts = []containment.Outcome{o}, []incident.Verdict{{Action: action, Target: target.ID, Decision: policy.Ask}}
	if hit != nil {
		hit.Reach, _ = containment.HitOf(o.Step, a)
		r.Bystanders = []evidence.Hit{*hit}
	}
	return r
}

// Whom a step hits beside the thief stands beside it, with what others could choose in it harmless and short.
func TestWhomAStepHits(t *testing.T) {
	mara := evidence.Actor{Kind: actor.IAMUserSession, AccessKeyID: "ASIAEXAMPLESESSION01", UserName: "mara", PrincipalID: "AIDAEXAMPLEMARA", PrincipalARN: "arn:aws:iam::111122223333:user/mara"}
	web := evidence.Actor{Kind: actor.Role, RoleName: "web", PrincipalID: "AROAEXAMPLEWEB", PrincipalARN: "arn:aws:iam::111122223333:role/web"}
	nobody := evidence.Actor{Kind: actor.Anonymous, Buckets: map[string]int64{"customer-exports": 1}}
	seen := func(n, fresh int64, ids ...string) evidence.Counted {
		c := evidence.Counted{Callers: n, New: fresh}
		for i, id := range ids {
			c.Listed = append(c.Listed, evidence.Bystander{ID: id, First: clockAt(-90 * time.Hour), Last: clockAt(-time.Duration(40+i) * time.Minute)})
		}
		return c
	}
	type by = map[evidence.Sort]evidence.Counted
	for name, c := range map[string]struct {
		rec   incident.Record
		says  []string
		never []string
	}{
		"a user with three keys": {within(mara, policy.QuarantineUser, containment.Asked, &evidence.Hit{By: by{evidence.ByKey: seen(3, 0, "AKIAEXAMPLEFIRST0001", "AKIAEXAMPLESECOND001", "AKIAEXAMPLETHIRD0001"), evidence.BySession: seen(312, 0, "ASIAEXAMPLESESSION02")}}),
			[]string{"Would hit 4 other callers of the 14 days before: 3 keys (AKIAEXAMPLEFIRST0001, AKIAEXAMPLESECOND001 and 1 more); 312 sessions without a name, one user's and counted once (ASIAEXAMPLESESSION02 and 311 more); the last worked 40 minutes before"}, []string{"NEW in", "NOT KNOWN whom", "Other accounts", "MORE"}},
		"once it is done": {within(mara, policy.DenyUserSessions, containment.Done, &evidence.Hit{By: by{evidence.ByKey: seen(3, 0, "AKIAEXAMPLEFIRST0001")}}), []string{"Hits nobody else that the trail shows in the 14 days before"}, []string{"Would hit", "AKIAEXAMPLEFIRST0001"}},
		"a role with forty machines": {within(web, policy.DenyRoleSessions, containment.Asked, &evidence.Hit{By: by{evidence.ByMachine: seen(40, 2, "AROAEXAMPLEWEB:i-1", "AROAEXAMPLEWEB:i-2", "AROAEXAMPLEWEB:i-3"), evidence.ByName: seen(1, 0, "AROAEXAMPLEWEB:x\nDONE\u202e"+strings.Repeat("y", 60))}}),
			[]string{`Would hit 41 other callers of the 14 days before: 1 named caller (x\nDONE\u202e` + strings.Repeat("y", 24) + "...); 40 sessions that a machine has named (i-1, i-2 and 38 more); the last worked 40 minutes before; 2 of them NEW in the last 24 hours, perhaps the thief too"}, []string{"\u202e"}},
		"a public bucket": {within(nobody, policy.BlockPublicAccess, containment.Asked, &evidence.Hit{By: by{evidence.ByNetwork: seen(2_412, 0, "10.0.1.0/24", "2001:db8:7::/48", "10.0.3.0/24"), evidence.BySession: seen(1, 0, "AIDAPARTNER")}}),
			[]string{"Would hit 2,413 other callers of the 14 days before: 1 caller of other accounts (AIDAPARTNER); 2,412 networks without credentials (10.0.1.0/24, 2001:db8:7::/48 and 2410 more); the last worked 40 minutes before. Other accounts lose it where the policy of the bucket is public"}, nil},
		"a part could not be read": {within(mara, policy.DenyUserSessions, containment.Asked, &evidence.Hit{Partial: true}), []string{"nobody else that the trail shows in the 14 days before; a part of the trail could not be read, so that it may be MORE"}, nil},
		"the trail may be younger": {within(mara, policy.DenyUserSessions, containment.Asked, &evidence.Hit{Short: true}), []string{"nobody else that the trail shows in the 14 days before, of the first of which the trail shows no call"}, nil},
		"it is not known":          {within(mara, policy.DenyUserSessions, containment.Asked, nil), []string{"Would hit whom beside the thief is NOT KNOWN", "whom these steps would hit beside the thief: deny-user-sessions arn:aws:iam::111122223333:user/mara"}, []string{"nobody else"}},
		"nothing is done":          {within(mara, policy.DenyUserSessions, containment.Skipped, nil), nil, []string{"Would hit", "beside the thief"}},
		"one credential":           {judged(theft(), policy.Ask, containment.Asked, "", "ask-in-use: somebody"), nil, []string{"Would hit", "beside the thief"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := Text(c.rec).Body
			body := strings.Join(strings.Fields(text), " ")
			for _, says := range c.says {
				if !strings.Contains(body, says) {
					t.Errorf("want %q in\n%s", says, text)
				}
			}
			for _, never := range c.never {
				if strings.Contains(body, never) {
					t.Errorf("never %q in\n%s", never, text)
				}
			}
		})
	}

	// In the JSON the number stands with the step, and an outcome of which nothing is known has none.
	hits := func(r incident.Record) []any {
		t.Helper()
		text, err := JSON(r)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Outcomes []map[string]any }
		if err := json.Unmarshal(text, &got); err != nil || len(got.Outcomes) != 1 || got.Outcomes[0]["action"] == nil {
			t.Fatalf("got %+v, %v", got, err)
		}
		return []any{got.Outcomes[0]["hits"] != nil, strings.Contains(string(text), `"callers": 40`)}
	}
	forty := within(web, policy.DenyRoleSessions, containment.Asked, &evidence.Hit{By: by{evidence.ByMachine: seen(40, 0)}})
	if got := hits(forty); got[0] != true || got[1] != true {
		t.Errorf("got %v", got)
	}
	if got := hits(within(web, policy.DenyRoleSessions, containment.Asked, nil)); got[0] != false || got[1] != false {
		t.Errorf("got %v", got)
	}
}
