package sandbox

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
)

// An account in memory does what is ordered by itself, with its faults; that it does the same as AWS is awsaccount's test.
func TestAnAccountInMemoryDoesWhatIsOrdered(t *testing.T) {
	ctx := t.Context()
	a := NewAccount(accountID)
	a.AddUser("mara", nil)
	a.AddUser("guarded", map[string]string{protectTag: ""})
	a.AddRole("guarded", map[string]string{protectTag: ""})
	x := containment.Executor{Account: a, Cutter: a, Mode: containment.ModeAct}
	at := time.Date(2026, 3, 4, 0, 12, 30, 0, time.UTC)
	plan := func(o containment.Order, target policy.Target) containment.Step {
		t.Helper()
		o.Incident = "i-1"
		s, err := o.Step(target, containment.Doc{Absent: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	mara := policy.Target{Type: policy.User, ID: a.arn("user", "", "mara"), Owner: "mara"}
	deny := plan(containment.Order{Action: policy.DenyUserSessions, User: "mara", Before: at}, mara)
	block := plan(containment.Order{Action: policy.BlockOnBucket, Bucket: "exports", UserID: "AROAEXAMPLEEXAMPLE:lee"}, containment.BucketTarget("", "exports"))
	errLate := errors.New("late")
	for name, c := range map[string]struct {
		fault error
		state containment.State
		wrote int
	}{
		"no fault":      {nil, containment.Done, 1},
		"refused":       {containment.ErrNotDone, containment.Failed, 0},
		"throttled":     {containment.ErrThrottled, containment.Intended, 0},
		"cut off":       {errLate, containment.Unknown, 0},
		"late, but did": {ErrAfter{errLate}, containment.Done, 1},
	} {
		for _, s := range []containment.Step{deny, block} {
			before := a.Writes()
			a.Fail("Cut", c.fault)
			if state, detail := x.Do(ctx, s, 0); state != c.state || a.Writes()-before != c.wrote {
				t.Errorf("%s, %s: it is %s (%s) by %d writes", name, s.Action, state, detail, a.Writes()-before)
			}
			want := containment.Already
			if c.wrote > 0 {
				want = containment.Undone
			}
			if state, err := containment.Undo(ctx, a, s); state != want || err != nil {
				t.Errorf("%s, %s: taken back it is %s (%v)", name, s.Action, state, err)
			}
		}
	}
	guarded := policy.Target{ID: "x", Owner: "guarded", Type: policy.User}
	role := guarded
	role.Type = policy.Role
	for _, s := range []containment.Step{
		plan(containment.Order{Action: policy.DenyUserSessions, User: "guarded", Before: at}, guarded),
		plan(containment.Order{Action: policy.DenyRoleSessions, Role: "guarded", Before: at}, role),
	} {
		if state, detail := x.Do(ctx, s, 0); state != containment.Failed {
			t.Errorf("%s on who is protected is %s (%s)", s.Action, state, detail)
		}
	}
	if err := a.Cut(ctx, containment.Order{Action: policy.DeactivateKey, Incident: "i-1", User: "mara"}); !errors.Is(err, containment.ErrNotDone) {
		t.Errorf("an order that is none: %v", err)
	}
	// Somebody changes it.
	if state, detail := x.Do(ctx, deny, 0); state != containment.Done {
		t.Errorf("it is %s (%s)", state, detail)
	}
	a.Set(deny.Ref, containment.Doc{Text: `{"Statement":[]}`})
	if state, _ := x.Verify(ctx, deny); state != containment.Drifted {
		t.Errorf("changed by somebody it is %s", state)
	}
	if state, err := containment.Undo(ctx, a, deny); state != containment.Drifted {
		t.Errorf("taken back it is %s (%v)", state, err)
	}
}

func TestAnAccountInMemoryKnowsItsQuarantine(t *testing.T) {
	a := NewAccount(accountID)
	a.AddUser("mara", nil)
	ask := func(user string) string {
		name, attached, err := a.Quarantine(t.Context(), user, "")
		return fmt.Sprint(name, " ", attached, " ", err)
	}
	attach := func(arn string) {
		a.Set(containment.Ref{Type: containment.UserAttachment, Owner: "mara", Name: arn}, containment.Doc{Text: containment.Attached})
	}
	if got := ask("nobody"); got != " false <nil>" {
		t.Errorf("nobody has %s", got)
	}
	attach("arn:aws:iam::" + accountID + ":policy/AWSCompromisedKeyQuarantineV9")
	if got := ask("mara"); got != "AWSCompromisedKeyQuarantineV4 false <nil>" {
		t.Errorf("without one it is %s", got)
	}
	attach(containment.QuarantineARN("", "AWSCompromisedKeyQuarantineV2"))
	attach(containment.QuarantineARN("", "AWSCompromisedKeyQuarantine"))
	if got := ask("mara"); got != "AWSCompromisedKeyQuarantineV2 true <nil>" {
		t.Errorf("with two it is %s", got)
	}
	a.Fail("Quarantine", errors.New("denied"))
	if got := ask("mara"); got != " false denied" {
		t.Errorf("denied it is %s", got)
	}
}
