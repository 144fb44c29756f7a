package responder_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/actor"
	"nightlatch/internal/approval"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/sandbox"
)

// cuts is a world in which a session of the role exporter takes the bucket, and the deployment enables steps.
func cuts(t *testing.T, own string, steps ...policy.Action) *world {
	t.Helper()
	w := asks()
	w.account.AddRole("exporter", nil)
	w.trail.takers = []taker{session("loot", 1_000_000)}
	w.Steps, w.Cutter = steps, w.account
	if own != "" {
		p, err := policy.Load("own.cedar", []byte(own))
		if err != nil {
			t.Fatal(err)
		}
		w.Policy, w.Mode = policy.Ready(p), containment.ModeAct
	}
	return w
}

const containsSessions = `@id("own") @because("a deployer's own") permit (principal, action == Action::"deny-role-session", resource);
@id("rest") @because("a deployer's own") permit (principal, action, resource) when { context.approved };`

// orders are the outcomes of a record that the cutter does.
func orders(r incident.Record) (all []containment.Outcome) {
	for _, o := range r.Outcomes {
		if o.Step.Order != nil {
			all = append(all, o)
		}
	}
	return all
}

func TestASessionIsDeniedWatchedAndRestored(t *testing.T) {
	w := cuts(t, containsSessions, policy.DenyRoleSession)
	r := w.handle(t)
	o := orders(r)
	if len(o) != 1 || o[0].State != containment.Done || !strings.HasPrefix(o[0].Undo, "aws iam delete-role-policy --role-name exporter --policy-name nightlatch-deny-role-session-") {
		t.Fatalf("got %+v", r.Outcomes)
	}
	doc, err := w.account.Read(t.Context(), o[0].Step.Ref)
	if err != nil || doc != o[0].Step.After || !strings.Contains(doc.Text, `"aws:userid":"AROAEXAMPLEexporter:loot"`) {
		t.Errorf("got %+v, %v", doc, err)
	}
	if m := w.channel.Sent()[1]; !strings.HasPrefix(m.Body, "CONTAINED\n") || !strings.Contains(m.Body, "To undo        "+o[0].Undo) {
		t.Errorf("the team is told %s", m.Body)
	}

	// What somebody takes away is heard, and what a human restores is written down.
	w2 := cuts(t, containsSessions, policy.DenyRoleSession)
	gone := false
	r = w2.watch(t, func(r incident.Record) {
		if o := orders(r); !gone && len(o) == 1 && o[0].State == containment.Done {
			gone = true
			w2.account.Set(o[0].Step.Ref, containment.Doc{Absent: true})
		}
	})
	if o := orders(r); len(o) != 1 || o[0].State != containment.Drifted || !w2.said("AGAIN") && !strings.Contains(r.FollowUps[0].Found[0], "HOLDS NO MORE") {
		t.Errorf("got %+v after %+v", o, r.FollowUps)
	}
	said, err := w2.approval().Hold(t.Context(), ops, shown(r, 1))
	if err != nil || !strings.Contains(said, "deny-role-session arn:aws:iam::"+account+":role/exporter is taken back") {
		t.Errorf("got %q, %v", said, err)
	}
	if b, err := w2.Store.Brakes(t.Context()); err != nil || len(b.Holds) != 0 {
		t.Errorf("a denial holds no key: %+v, %v", b, err)
	}
	if _, err := w.approval().Hold(t.Context(), ops, shown(w.handle(t), 1)); err == nil || !strings.Contains(err.Error(), "restore it first") {
		t.Errorf("it stands, and is called restored: %v", err)
	}
}

// After a session's denial it is asked what that session has done since, and not what the role's other sessions have: they go on with their work.
func TestTheOthersOfARoleAreNotAskedAbout(t *testing.T) {
	w := cuts(t, containsSessions, policy.DenyRoleSession)
	var asked []evidence.Since
	w.Trail = heard{w.trail, func(q evidence.Question) {
		if since, ok := q.(evidence.Since); ok {
			asked = append(asked, since)
		}
	}}
	w.handle(t)
	if len(asked) == 0 {
		t.Fatal("nobody was asked about")
	}
	for _, q := range asked {
		if !slices.Equal(q.SessionIDs, []string{"AROAEXAMPLEexporter:loot"}) || len(q.PrincipalIDs) > 0 || !slices.Equal(q.KeyIDs, []string{session("loot", 0).key}) {
			t.Errorf("asked about %+v", q)
		}
	}
}

func TestAnApprovedOrderIsDoneByTheCutter(t *testing.T) {
	w := cuts(t, "", policy.DenyRoleSession)
	var asked containment.Outcome
	r := w.whenNotified(t, func(r incident.Record) {
		asked = orders(r)[0]
		if said, err := w.approval().Approve(t.Context(), ops, shown(r, 1)); err != nil {
			t.Errorf("got %q, %v", said, err)
		}
		if doc, err := w.account.Read(t.Context(), asked.Step.Ref); err != nil || !doc.Absent {
			t.Errorf("the approver itself wrote %+v, %v", doc, err)
		}
	})
	o := orders(r)[0]
	if o.State != containment.Done || o.Approved == nil || o.Step.Order.Before.Before(asked.Step.Order.Before) {
		t.Fatalf("got %+v, asked at %v", o, asked.Step.Order.Before)
	}
	if doc, err := w.account.Read(t.Context(), o.Step.Ref); err != nil || doc != o.Step.After {
		t.Errorf("got %+v, %v", doc, err)
	}
	if o.Step.Ref != asked.Step.Ref {
		if doc, _ := w.account.Read(t.Context(), asked.Step.Ref); !doc.Absent {
			t.Error("it was denied twice")
		}
	}
}

func TestACutterThatFailsIsHeard(t *testing.T) {
	for name, c := range map[string]struct {
		errs []error
		want containment.State
	}{
		"it refuses":                        {[]error{containment.ErrNotDone}, containment.Failed},
		"nobody knows, and it was not done": {[]error{errors.New("cut off")}, containment.Unknown},
		"nobody knows, and it was done":     {[]error{sandbox.ErrAfter{Err: errors.New("cut off")}}, containment.Done},
	} {
		w := cuts(t, containsSessions, policy.DenyRoleSession, policy.BlockOnBucket)
		w.account.Fail("Cut", c.errs...)
		r := w.handle(t)
		o := orders(r)
		if o[0].State != c.want {
			t.Errorf("%s: got %s (%s)", name, o[0].State, o[0].Detail)
		}
		if next := len(o) == 2 && o[1].Action == policy.BlockOnBucket && o[1].State == containment.Asked; next != (c.want == containment.Failed) {
			t.Errorf("%s: the next best step: %+v", name, o)
		}
	}
}

func TestNothingIsOrderedWhereNothingIsEnabled(t *testing.T) {
	w := cuts(t, containsSessions)
	w.Cutter = nil
	if r := w.handle(t); len(orders(r)) > 0 || r.Outcomes[0].State != containment.Asked {
		t.Errorf("got %+v", r.Outcomes)
	}
}

// A session that the stolen key has minted took nothing, and is in no evidence. Who approves its denial has it done all the same.
func TestTheDenialOfWhatAKeyHasMintedIsApproved(t *testing.T) {
	w := asks()
	w.Steps, w.Cutter = []policy.Action{policy.DenyUserSessions}, w.account
	w.trail.minted[minted] = with(by(user("mara", stolen)), "call", "GetSessionToken")
	approved := false
	r := w.watch(t, func(r incident.Record) {
		for i, o := range r.Outcomes {
			if !approved && o.Step.Order != nil && o.State == containment.Asked && !r.NotifiedAt(incident.Answer).IsZero() {
				approved = true
				if said, err := w.approval().Approve(t.Context(), ops, shown(r, i+1)); err != nil {
					t.Errorf("got %q, %v", said, err)
				}
			}
		}
	})
	if o := orders(r); len(o) != 1 || o[0].State != containment.Done || o[0].AccessKeyID != minted || o[0].Approved == nil {
		t.Errorf("got %+v", o)
	}
}

// A role's session whose record does not show the role is no session of the user who took it: a denial of his would hit him and not it.
func TestWhoseSessionTheTrailDoesNotShowIsNotDenied(t *testing.T) {
	w := asks()
	w.Steps, w.Cutter = []policy.Action{policy.DenyUserSessions, policy.DenyRoleSession}, w.account
	w.trail.minted[minted] = with(by(user("mara", stolen)), "call", "AssumeRole", "role_given", "")
	if r := w.handle(t); len(orders(r)) > 0 || len(r.Lineage.Nodes) != 2 {
		t.Errorf("got %+v of %+v", orders(r), r.Lineage)
	}
}

// Two sessions of one role are two steps of one name, whose numbers change with what they took: who was shown the one does not approve the other.
func TestTheSessionThatWasShownIsTheOneThatIsApproved(t *testing.T) {
	w := cuts(t, "", policy.DenyRoleSession)
	w.trail.takers = []taker{session("loot", 1_000_000), session("more", 900_000)}
	w.whenNotified(t, func(r incident.Record) {
		if o := orders(r); len(o) != 2 || o[0].Name() != o[1].Name() {
			t.Fatalf("got %+v", o)
		}
		old := shown(r, 1)
		old.Of = ""
		for what, s := range map[string]approval.Shown{"the other's number": {Incident: r.ID, Step: 2, Action: r.Outcomes[0].Action, Target: r.Outcomes[0].Target, Of: r.Outcomes[0].Of()}, "an old command's": old} {
			if said, err := w.approval().Approve(t.Context(), ops, s); err == nil || !strings.Contains(err.Error(), "as you were shown") {
				t.Errorf("%s is answered %q, %v", what, said, err)
			}
		}
		if said, err := w.approval().Approve(t.Context(), ops, shown(r, 1)); err != nil {
			t.Errorf("got %q, %v", said, err)
		}
	})
}

// An order changes the user, and not the key that the evidence names: that may have been deleted meanwhile.
func TestAnOrderAsksAboutItsUserAndNotAboutHisKey(t *testing.T) {
	w := asks()
	w.Steps, w.Cutter = []policy.Action{policy.FenceOrigin}, w.account
	rec := w.open(t)
	step := containment.Order{Action: policy.FenceOrigin, Incident: rec.ID, User: "mara", Networks: []string{"203.0.113.9/32"}}
	target, err := w.account.Identify(t.Context(), actor.Credential{Kind: actor.IAMUser, UserName: "mara", AccountID: account})
	if err != nil {
		t.Fatal(err)
	}
	o := containment.Outcome{Action: step.Action, Target: target.ID, AccessKeyID: "AKIAEXAMPLEDELETED01", State: containment.Asked}
	rec.Evidence.Actors[0].AccessKeyID = o.AccessKeyID
	if o.Step, err = step.Step(target, containment.Doc{Absent: true}); err != nil {
		t.Fatal(err)
	}
	rec.Outcomes, rec.Verdicts = append(rec.Outcomes, o), append(rec.Verdicts, incident.Verdict{Action: o.Action, Target: o.Target})
	if rec, err = w.Store.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if said, err := w.approval().Approve(t.Context(), ops, shown(rec, 2)); err != nil || !strings.HasPrefix(said, "approved") {
		t.Errorf("got %q, %v", said, err)
	}
}

// A public access block has one place, where anything may stand: what the undo brings back is what stood right before the write, and not what was read
// when a human was asked.
func TestABlockIsUndoneToWhatStoodRightBeforeIt(t *testing.T) {
	w := cuts(t, "", policy.BlockPublicAccess)
	w.trail.takers = []taker{{typ: "AWSAccount", owner: "anonymous", bytes: 1_000_000, ip: elsewhere}}
	part := containment.Doc{Text: `{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":false}`}
	r := w.whenNotified(t, func(r incident.Record) {
		o := orders(r)[0]
		if !o.Step.Before.Absent {
			t.Fatalf("asked with %+v", o.Step.Before)
		}
		if said, err := w.approval().Approve(t.Context(), ops, shown(r, 1)); err != nil {
			t.Fatalf("got %q, %v", said, err)
		}
		w.account.Set(o.Step.Ref, part)
	})
	o := orders(r)[0]
	if o.State != containment.Done || o.Step.Before != part || !strings.Contains(o.Undo, `put-public-access-block --bucket `) || !strings.Contains(o.Undo, `"RestrictPublicBuckets":false`) {
		t.Errorf("got %+v", o)
	}
	if state, err := containment.Undo(t.Context(), w.account, o.Step); state != containment.Undone || err != nil {
		t.Errorf("taken back: %s, %v", state, err)
	}
}

// meddled is a cutter behind whose back somebody changes at once what it has written.
type meddled struct {
	*sandbox.Account
	ref func() containment.Ref
}

func (m meddled) Cut(ctx context.Context, o containment.Order) error {
	err := m.Account.Cut(ctx, o)
	m.Set(m.ref(), containment.Doc{Text: "{}"})
	return err
}

func TestWhatWasChangedAtOnceHasAnUndoLine(t *testing.T) {
	w := cuts(t, containsSessions, policy.DenyRoleSession)
	w.Cutter = meddled{w.account, func() containment.Ref {
		all, _ := w.Store.Unclosed(t.Context())
		r, _ := w.Store.Load(t.Context(), all[0].ID)
		return orders(r)[0].Step.Ref
	}}
	if o := orders(w.handle(t))[0]; o.State != containment.Drifted || o.Undo == "" || o.Undo != o.Step.Undo {
		t.Errorf("got %+v", o)
	}
}
