package judgement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// session is a record in which a session of a role took the bytes, and what the account says of it.
func session(t *testing.T) (incident.Record, evidence.Actor, Targets) {
	t.Helper()
	r, a := known()
	a.Kind, a.Via, a.Copies = actor.RoleSession, "", 0
	a.AccessKeyID, a.PrincipalID, a.PrincipalARN, a.AccountID = "ASIAIOSFODNN7EXAMPLE", "AROAEXAMPLEWEB:batch", "arn:aws:iam::111122223333:role/web", "111122223333"
	a.RoleName, a.Session, a.Buckets = "web", "batch", map[string]int64{"a-bucket": 700}
	r.ID, r.Alarm.Buckets, r.Evidence.Actors = "i-1", []string{"a-bucket"}, []evidence.Actor{a}
	role := policy.Target{Type: policy.Role, ID: a.PrincipalARN, Owner: "web", OwnerARN: a.PrincipalARN, AccountID: a.AccountID, Known: true}
	return r, a, Targets{a.Credential(): {Target: role}}
}

func judgedBy(t *testing.T, text string, r incident.Record, targets Targets, l Limits) incident.Record {
	t.Helper()
	p, err := policy.Load("own.cedar", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r, missing := Judge(p, r, targets, l)
	if len(missing) > 0 {
		t.Fatalf("it misses %v", missing)
	}
	return r
}

const (
	containsSessions = `@id("own") @because("a deployer's own") permit (principal, action == Action::"deny-role-session", resource);`
	now0             = "2026-03-04T00:10:05Z"
)

func TestOnlyWhatADeploymentEnablesIsOrdered(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, now0)
	act := Limits{Mode: containment.ModeAct, Now: now}
	r, _, targets := session(t)

	o := judgedBy(t, containsSessions, r, targets, act).Outcomes[0]
	if o.Step.Planned() || o.State != containment.Asked || len(o.Runbook) == 0 {
		t.Errorf("not enabled, it is %s: %+v", o.State, o.Step)
	}
	act.Steps = []policy.Action{policy.BlockOnBucket}
	if o = judgedBy(t, containsSessions, r, targets, act).Outcomes[0]; o.Step.Planned() {
		t.Errorf("another step is enabled, and this one is %+v", o.Step)
	}
	act.Steps = append(act.Steps, policy.DenyRoleSession)
	done := judgedBy(t, containsSessions, r, targets, act)
	o = done.Outcomes[0]
	if o.State != containment.Intended || o.Step.Order == nil || o.Step.Ref.Owner != "web" || !strings.Contains(o.Step.After.Text, `"aws:userid":"AROAEXAMPLEWEB:batch"`) {
		t.Fatalf("enabled, it is %s: %+v", o.State, o.Step)
	}

	// What was ordered is the same order when later evidence is judged: a second denial would be one too many.
	for _, state := range []containment.State{containment.Intended, containment.Done, containment.Unknown} {
		again := done
		again.Outcomes[0].State = state
		later := act
		later.Now = now.Add(5 * time.Minute)
		if got := judgedBy(t, containsSessions, again, targets, later).Outcomes; len(got) != 1 || got[0].Step.Ref != o.Step.Ref || got[0].State != state {
			t.Errorf("%s, it is judged again as %+v", state, got)
		}
	}

	if r, _ := Judge(policy.Shipped(), r, targets, act); r.Outcomes[0].State != containment.Asked || !r.Outcomes[0].Step.Planned() {
		t.Errorf("the shipped policy makes it %s", r.Outcomes[0].State)
	}
}

func TestWhomTheAccountDoesNotKnowIsNotOrdered(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, now0)
	l := Limits{Mode: containment.ModeAct, Now: now, Steps: containment.Orderable()}
	for what, change := range map[string]func(*incident.Record, *containment.Owned){
		"not known":           func(_ *incident.Record, o *containment.Owned) { o.Target.Known = false },
		"contradicts itself":  func(r *incident.Record, _ *containment.Owned) { r.Evidence.Actors[0].Doubt = "two names" },
		"of another account":  func(r *incident.Record, _ *containment.Owned) { r.Place.AccountID = "444455556666" },
		"a name of no policy": func(r *incident.Record, _ *containment.Owned) { r.Evidence.Actors[0].PrincipalID = "AROAEXAMPLEWEB:*" },
	} {
		r, a, targets := session(t)
		owned := targets[a.Credential()]
		change(&r, &owned)
		targets = Targets{r.Evidence.Actors[0].Credential(): owned}
		if o := judgedBy(t, containsSessions, r, targets, l).Outcomes[0]; o.Step.Planned() || o.State != containment.Asked {
			t.Errorf("%s: it is %s, %+v", what, o.State, o.Step)
		}
	}
	for what, change := range map[string]func(*policy.Target){
		"protected": func(t *policy.Target) { t.Protected = "named in the deployment" },
		"itself":    func(t *policy.Target) { t.Self = true },
	} {
		r, a, targets := session(t)
		owned := targets[a.Credential()]
		change(&owned.Target)
		if o := judgedBy(t, containsSessions, r, Targets{a.Credential(): owned}, l).Outcomes[0]; o.State != containment.Asked {
			t.Errorf("%s: it is %s", what, o.State)
		}
	}
}

func TestPublicAccessIsBlockedOnlyWhereWhatIsThereWasRead(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, now0)
	l := Limits{Mode: containment.ModeAct, Now: now, Steps: []policy.Action{policy.BlockPublicAccess}}
	const own = `@id("own") @because("a deployer's own") permit (principal, action == Action::"block-public-access", resource);`
	r, a := known()
	a.Kind, a.Via, a.Copies, a.Buckets = actor.Anonymous, "", 0, map[string]int64{"a-bucket": 700}
	r.ID, r.Alarm.Buckets, r.Evidence.Actors = "i-1", []string{"a-bucket"}, []evidence.Actor{a}
	targets := Targets{a.Credential(): {}}
	if o := judgedBy(t, own, r, targets, l).Outcomes[0]; o.Step.Planned() || o.State != containment.Asked {
		t.Errorf("it was not read, and is %s: %+v", o.State, o.Step)
	}
	ref := containment.Ref{Type: containment.PublicAccessBlock, Name: "a-bucket"}
	for doc, want := range map[containment.Doc]containment.State{
		{Absent: true}: containment.Intended,
		{Text: `{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":true}`}: containment.Already,
	} {
		l.Settings = map[containment.Ref]containment.Doc{ref: doc}
		if o := judgedBy(t, own, r, targets, l).Outcomes[0]; o.State != want || o.Step.Before != doc {
			t.Errorf("with %+v it is %s: %+v", doc, o.State, o.Step)
		}
	}
}

func TestAFenceIsForAKeyThatSomebodyGoesOnWorkingWith(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, now0)
	r, a := known()
	a.Via, a.Copies, a.AccessKeyID, a.UserName, a.PrincipalARN, a.AccountID = "", 0, "AKIAIOSFODNN7EXAMPLE", "mara", "arn:aws:iam::111122223333:user/mara", "111122223333"
	a.Origins = []evidence.Origin{{Network: "198.51.100.0/24", Bytes: 700, Familiar: new(false), Days: new(int64(0))}}
	key := policy.Target{Type: policy.AccessKey, ID: a.AccessKeyID, Owner: "mara", OwnerARN: a.PrincipalARN, AccountID: a.AccountID, Known: true}
	targets := Targets{a.Credential(): {Target: key, Status: containment.Doc{Text: containment.Active}}}
	r.ID = "i-1"
	const own = `@id("own") @because("a deployer's own") permit (principal, action == Action::"fence-origin", resource);
@id("asks") @because("a deployer's own") permit (principal, action == Action::"deactivate-key", resource) when { context.approved };`
	for inUse, want := range map[*bool]int{new(true): 2, nil: 2, new(false): 1} {
		a.InUse = inUse
		r.Evidence.Actors = []evidence.Actor{a}
		got := judgedBy(t, own, r, targets, Limits{Mode: containment.ModeAct, Now: now, Steps: []policy.Action{policy.FenceOrigin}}).Outcomes
		if len(got) != want {
			t.Errorf("in use %v: %d steps", inUse, len(got))
			continue
		}
		if want == 2 && (got[0].State != containment.Asked || got[1].State != containment.Intended || got[1].Target != a.PrincipalARN || got[1].Step.Ref.Type != containment.UserPolicy) {
			t.Errorf("got %+v", got)
		}
	}
	a.InUse = new(true)
	r.Evidence.Actors = []evidence.Actor{a}
	if got := judgedBy(t, own, r, targets, Limits{Mode: containment.ModeAct, Now: now}).Outcomes; len(got) != 1 {
		t.Errorf("not enabled: %+v", got)
	}
}

func TestWhereAStepFailsTheNextBestIsPutToThePolicy(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, now0)
	l := Limits{Mode: containment.ModeAct, Now: now, Steps: []policy.Action{policy.DenyRoleSession, policy.BlockOnBucket}}
	r, _, targets := session(t)
	r = judgedBy(t, containsSessions, r, targets, l)
	before := r.Basis()
	r.Outcomes[0].State, r.Outcomes[0].Detail = containment.Failed, "its policies are full"
	if r.Basis() == before || r.JudgedOn != before {
		t.Fatalf("it is judged on %q, and not judged again", r.JudgedOn)
	}
	r = judgedBy(t, containsSessions, r, targets, l)
	if len(r.Outcomes) != 2 || r.Outcomes[0].State != containment.Failed || r.JudgedOn != r.Basis() {
		t.Fatalf("got %+v", r.Outcomes)
	}
	if o := r.Outcomes[1]; o.Action != policy.BlockOnBucket || o.Step.Order == nil || o.Step.Order.UserID != "AROAEXAMPLEWEB:batch" || o.State == containment.Intended {
		t.Errorf("got %s: %+v", o.State, o.Step)
	}
	if text := strings.Join(r.Outcomes[1].Step.Runbook, " "); strings.Contains(text, "all his credentials") {
		t.Errorf("a session is one: %s", text)
	}
	user := r.Evidence.Actors[0]
	user.Kind, user.PrincipalID = actor.IAMUserSession, "AIDAEXAMPLEMARA00001"
	if next := containment.NextBest(r.Outcomes[0].Step, user, "aws"); len(next) != 1 || !strings.Contains(strings.Join(next[0].Runbook, " "), "all his credentials") {
		t.Errorf("that it hits the whole user is not said: %+v", next)
	}
	l.Steps = l.Steps[:1]
	r.Outcomes = r.Outcomes[:1]
	r.Verdicts = r.Verdicts[:1]
	if r = judgedBy(t, containsSessions, r, targets, l); len(r.Outcomes) != 2 || r.Outcomes[1].Step.Planned() {
		t.Errorf("not enabled, the next best step is by hand: %+v", r.Outcomes)
	}
}

func TestAUserIsQuarantinedByThePolicyThatTheAccountHas(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, now0)
	const own = `@id("own") @because("a deployer's own") permit (principal, action == Action::"quarantine-user", resource);`
	l := Limits{Mode: containment.ModeAct, Now: now, Steps: []policy.Action{policy.QuarantineUser}}
	r, a := known()
	a.Kind, a.Via, a.Copies, a.UserName, a.PrincipalARN, a.AccountID = actor.IAMUser, "", 0, "mara", "arn:aws:iam::111122223333:user/mara", "111122223333"
	r.ID, r.Evidence.Actors = "i-1", []evidence.Actor{a}
	targets := Targets{a.Credential(): {Target: policy.Target{Type: policy.User, ID: a.PrincipalARN, Owner: "mara", OwnerARN: a.PrincipalARN, Known: true}}}
	for doc, want := range map[containment.Doc]containment.State{{Absent: true}: containment.Intended, {Text: containment.Attached}: containment.Already} {
		ref := containment.Ref{Type: containment.UserAttachment, Owner: "mara", Name: "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV4"}
		l.Settings = map[containment.Ref]containment.Doc{ref: doc, {Type: containment.UserAttachment, Owner: "lee", Name: ref.Name}: {Absent: true}}
		if o := judgedBy(t, own, r, targets, l).Outcomes[0]; o.State != want || o.Step.Ref != ref {
			t.Errorf("with %+v it is %s: %+v", doc, o.State, o.Step)
		}
	}
	l.Settings = nil
	if o := judgedBy(t, own, r, targets, l).Outcomes[0]; o.Step.Planned() || o.State != containment.Asked {
		t.Errorf("it was not read, and is %s: %+v", o.State, o.Step)
	}
}

func TestWhatAStolenKeyHasMintedIsDeniedToo(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, now0)
	r, a := known()
	a.Via, a.Copies, a.AccessKeyID, a.UserName, a.PrincipalARN, a.AccountID = "", 0, "AKIAIOSFODNN7EXAMPLE", "mara", "arn:aws:iam::111122223333:user/mara", "111122223333"
	r.ID, r.Evidence.Actors = "i-1", []evidence.Actor{a}
	node := func(n evidence.Node) evidence.Node {
		n.AccountID = cmp.Or(n.AccountID, "111122223333")
		return n
	}
	r.Lineage = &evidence.Tree{Nodes: []evidence.Node{
		{Kind: evidence.KeyNode, Parent: -1, Keys: []string{a.AccessKeyID}, UserName: "mara", AccountID: "111122223333", Took: true},
		node(evidence.Node{Kind: evidence.SessionNode, Keys: []string{"ASIAEXAMPLEMARA00001"}, UserName: "mara"}),
		node(evidence.Node{Kind: evidence.SessionNode, Keys: []string{"ASIAEXAMPLEMARA00002"}, UserName: "mara"}),
		node(evidence.Node{Kind: evidence.SessionNode, Keys: []string{"ASIAEXAMPLEETL000001"}, RoleName: "etl", Session: "x", PrincipalID: "AROAEXAMPLEETL:x"}),
		node(evidence.Node{Kind: evidence.SessionNode, Parent: 3, Keys: []string{"ASIAEXAMPLEWEB000001"}, RoleName: "web", Session: "y", PrincipalID: "AROAEXAMPLEWEB:y"}),
		node(evidence.Node{Kind: evidence.SessionNode, Keys: []string{"ASIAEXAMPLEFAR000001"}, RoleName: "far", Session: "z", PrincipalID: "AROAEXAMPLEFAR:z", AccountID: "444455556666"}),
		node(evidence.Node{Kind: evidence.SessionNode, Keys: []string{"ASIAEXAMPLELIKELY001"}, RoleName: "etl", Session: "l", PrincipalID: "AROAEXAMPLEETL:l", Likely: true}),
		{Kind: evidence.KeyNode, Parent: -1, Keys: []string{"AKIAEXAMPLELEE000001"}, UserName: "lee", AccountID: "111122223333"},
		node(evidence.Node{Kind: evidence.SessionNode, Parent: 7, Keys: []string{"ASIAEXAMPLELEE000001"}, RoleName: "etl", Session: "lee", PrincipalID: "AROAEXAMPLEETL:lee"}),
	}}
	r.Place.AccountID = "111122223333"
	const own = `@id("own") @because("a deployer's own") permit (principal, action, resource);`
	targets := Targets{}
	judge := func(r incident.Record, steps ...policy.Action) incident.Record {
		for {
			p, err := policy.Load("own.cedar", []byte(own))
			if err != nil {
				t.Fatal(err)
			}
			done, missing := Judge(p, r, targets, Limits{Mode: containment.ModeAct, Now: now, Steps: steps})
			if len(missing) == 0 {
				return done
			}
			for _, c := range missing { // the account knows them all
				owner, typ, id := c.UserName, policy.User, "arn:aws:iam::111122223333:user/"+c.UserName
				switch {
				case c.Kind == actor.IAMUserKey:
					typ, id = policy.AccessKey, c.AccessKeyID
				case c.RoleName != "":
					owner, typ, id = c.RoleName, policy.Role, "arn:aws:iam::111122223333:role/"+c.RoleName
				}
				targets[c] = containment.Owned{Target: policy.Target{Type: typ, ID: id, Owner: owner, Known: true}, Status: containment.Doc{Text: containment.Active}}
			}
		}
	}
	names := func(r incident.Record) (all []string) {
		for _, o := range r.Outcomes {
			all = append(all, string(o.Action)+" "+o.Step.Target.Owner+" "+o.AccessKeyID)
		}
		return all
	}
	equal := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
		}
	}
	equal("nothing is enabled", names(judge(r)), "deactivate-key mara AKIAIOSFODNN7EXAMPLE")
	both := judge(r, policy.DenyUserSessions, policy.DenyRoleSession)
	equal("both are enabled, the source comes first", names(both), "deactivate-key mara AKIAIOSFODNN7EXAMPLE", "deny-user-sessions mara ASIAEXAMPLEMARA00001",
		"deny-role-session etl ASIAEXAMPLEETL000001", "deny-role-session web ASIAEXAMPLEWEB000001")
	for _, o := range both.Outcomes[1:] {
		if o.State != containment.Intended || o.Step.Order == nil {
			t.Errorf("got %+v", o)
		}
	}
	if both.JudgedOn != both.Basis() {
		t.Errorf("it would be judged again: %s, %s", both.JudgedOn, both.Basis())
	}
	equal("judged again", names(judge(both, policy.DenyUserSessions, policy.DenyRoleSession)), names(both)...)
	more := both
	more.Lineage = &evidence.Tree{Nodes: append(slices.Clone(r.Lineage.Nodes), node(evidence.Node{Kind: evidence.SessionNode, Keys: []string{"ASIAEXAMPLENEW000001"}, RoleName: "etl", Session: "new", PrincipalID: "AROAEXAMPLEETL:new"}))}
	if more.Basis() == more.JudgedOn {
		t.Error("a session that shows later is not judged")
	}
	if got := names(judge(more, policy.DenyUserSessions, policy.DenyRoleSession)); len(got) != 5 || got[4] != "deny-role-session etl ASIAEXAMPLENEW000001" {
		t.Errorf("got %q", got)
	}
	equal("one is enabled", names(judge(r, policy.DenyUserSessions)), "deactivate-key mara AKIAIOSFODNN7EXAMPLE", "deny-user-sessions mara ASIAEXAMPLEMARA00001")
}

func TestAFenceIsExtendedWhereTheThiefMoves(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, now0)
	r, a := known()
	a.Via, a.Copies, a.AccessKeyID, a.UserName, a.PrincipalARN, a.AccountID, a.InUse = "", 0, "AKIAIOSFODNN7EXAMPLE", "mara", "arn:aws:iam::111122223333:user/mara", "111122223333", new(true)
	key := policy.Target{Type: policy.AccessKey, ID: a.AccessKeyID, Owner: "mara", OwnerARN: a.PrincipalARN, AccountID: a.AccountID, Known: true}
	targets := Targets{a.Credential(): {Target: key, Status: containment.Doc{Text: containment.Active}}}
	r.ID = "i-1"
	const own = `@id("own") @because("a deployer's own") permit (principal, action == Action::"fence-origin", resource);
@id("asks") @because("a deployer's own") permit (principal, action == Action::"deactivate-key", resource) when { context.approved };`
	at := func(networks ...string) incident.Record {
		a.Origins = nil
		for _, n := range networks {
			a.Origins = append(a.Origins, evidence.Origin{Network: n, Bytes: 700, Familiar: new(false), Days: new(int64(0))})
		}
		r.Evidence.Actors = []evidence.Actor{a}
		return judgedBy(t, own, r, targets, Limits{Mode: containment.ModeAct, Now: now, Steps: []policy.Action{policy.FenceOrigin}})
	}
	fences := func(r incident.Record) (all []string) {
		for _, o := range r.Outcomes {
			if o.Action == policy.FenceOrigin {
				all = append(all, string(o.State)+" "+strings.Join(o.Step.Order.Networks, ","))
			}
		}
		return all
	}
	equal := func(got []string, want ...string) {
		t.Helper()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	done := func() {
		for i := range r.Outcomes {
			if r.Outcomes[i].Action == policy.FenceOrigin {
				r.Outcomes[i].State = containment.Done
			}
		}
	}
	r = at("198.51.100.0/24")
	equal(fences(r), "intended 198.51.100.0/24")
	equal(fences(at("198.51.100.0/24", "198.51.101.0/24")), "intended 198.51.100.0/24", "intended 198.51.101.0/24") // nothing is written twice
	done()
	r = at("198.51.100.0/24", "198.51.101.0/24")
	equal(fences(r), "done 198.51.100.0/24", "intended 198.51.101.0/24")
	done()
	equal(fences(at("198.51.100.0/24", "198.51.101.0/24")), "done 198.51.100.0/24", "done 198.51.101.0/24")
	var many []string
	for n := range containment.MaxFenced - 1 {
		many = append(many, fmt.Sprintf("203.0.%d.0/24", n))
	}
	moved := at(append(many, "198.51.100.0/24", "198.51.101.0/24")...)
	equal(fences(moved), "done 198.51.100.0/24", "done 198.51.101.0/24") // eleven are too many
	if o := moved.Outcomes[0]; o.Action != policy.DeactivateKey || o.State != containment.Asked {
		t.Errorf("then the key is asked about, and not %+v", o)
	}
}

// What the cutter would refuse is not offered: the human's line says why, is the same change, and the next best step is put to the policy.
func TestOutsideOfWhatTheDeploymentNamesNothingIsOrdered(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, now0)
	enabled := []policy.Action{policy.DenyRoleSession, policy.BlockOnBucket}
	const own = `@id("own") @because("a deployer's own") permit (principal, action, resource);`
	for name, c := range map[string]struct {
		path  string
		reach containment.Reach
		steps []policy.Action
		want  string // the steps, and whether they are ordered
	}{
		"in a path":              {"/team/", containment.Reach{Paths: []string{"/other/", "/team/"}, Buckets: []string{"a-bucket"}}, enabled, "deny-role-session true"},
		"in a path below":        {"/team/a/", containment.Reach{Paths: []string{"/team/"}}, enabled, "deny-role-session true"},
		"all paths":              {"/", containment.Reach{Paths: []string{"/"}}, enabled, "deny-role-session true"},
		"nothing is said":        {"/", containment.Reach{}, enabled, "deny-role-session true"},
		"in another path":        {"/", containment.Reach{Paths: []string{"/team/"}, Buckets: []string{"a-bucket"}}, enabled, "deny-role-session false, block-on-bucket true"},
		"in one that begins so":  {"/teams/", containment.Reach{Paths: []string{"/team/"}}, enabled, "deny-role-session false, block-on-bucket true"},
		"and no named bucket":    {"/", containment.Reach{Paths: []string{"/team/"}, Buckets: []string{}}, enabled, "deny-role-session false, block-on-bucket false"},
		"and no step on buckets": {"/", containment.Reach{Paths: []string{"/team/"}}, enabled[:1], "deny-role-session false"},
	} {
		r, a, targets := session(t)
		owned := targets[a.Credential()]
		owned.Target.ID = "arn:aws:iam::111122223333:role" + c.path + "web"
		owned.Target.OwnerARN = owned.Target.ID
		got := judgedBy(t, own, r, Targets{a.Credential(): owned}, Limits{Mode: containment.ModeAct, Now: now, Steps: c.steps, Reach: c.reach}).Outcomes
		var steps []string
		for _, o := range got {
			steps = append(steps, fmt.Sprintf("%s %t", o.Action, o.Step.Planned()))
			if o.Step.Planned() != (o.State == containment.Intended) || !o.Step.Planned() && (o.State != containment.Asked || !strings.Contains(o.Runbook[0], "is in none of the paths that the setting stepPaths names") &&
				!strings.Contains(o.Runbook[0], "is not one that the setting buckets names")) {
				t.Errorf("%s: it is %s: %q", name, o.State, o.Runbook)
			}
		}
		if s := strings.Join(steps, ", "); s != c.want {
			t.Errorf("%s: got %s, want %s", name, s, c.want)
		}
		if o := got[0]; !o.Step.Planned() && (len(o.Runbook) != 2 || !strings.HasPrefix(o.Runbook[1], "aws iam put-role-policy --role-name web --policy-name nightlatch-deny-role-session-") || o.Undo != "") {
			t.Errorf("%s: a human runs %q", name, o.Runbook)
		}
	}
}

// A fence is the human's too where the user is in no named path, with all of its line.
func TestAFenceOutsideOfThePathsIsAHumans(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, now0)
	r, a := known()
	a.Via, a.Copies, a.AccessKeyID, a.UserName, a.PrincipalARN, a.AccountID, a.InUse = "", 0, "AKIAIOSFODNN7EXAMPLE", "mara", "arn:aws:iam::111122223333:user/mara", "111122223333", new(true)
	a.Origins = []evidence.Origin{{Network: "198.51.100.0/24", Bytes: 700, Familiar: new(false), Days: new(int64(0))}}
	r.ID, r.Evidence.Actors = "i-1", []evidence.Actor{a}
	key := policy.Target{Type: policy.AccessKey, ID: a.AccessKeyID, Owner: "mara", OwnerARN: a.PrincipalARN, AccountID: a.AccountID, Known: true}
	l := Limits{Mode: containment.ModeAct, Now: now, Steps: []policy.Action{policy.FenceOrigin}, Reach: containment.Reach{Paths: []string{"/team/"}}}
	got := judgedBy(t, `@id("own") @because("a deployer's own") permit (principal, action, resource);`, r, Targets{a.Credential(): {Target: key, Status: containment.Doc{Text: containment.Active}}}, l).Outcomes
	if len(got) != 2 || got[1].Step.Planned() || got[1].State != containment.Asked || !strings.Contains(strings.Join(got[1].Runbook, "\n"), "aws iam put-user-policy --user-name mara --policy-name nightlatch-fence") {
		t.Errorf("got %+v", got)
	}
}
