package containment

import (
	"strings"
	"testing"

	"nightlatch/internal/policy"
)

func TestWhatAStateMeans(t *testing.T) {
	for state, want := range map[State]string{
		Intended: "", Skipped: "", DryRun: "", Undone: "", Asked: "open", Failed: "open", Done: "contained watched",
		Unknown: "contained watched", Drifted: "contained watched", Already: "watched",
	} {
		o, got := Outcome{State: state}, []string{}
		for word, is := range map[string]bool{"open": o.Open(), "contained": o.Contained(), "watched": o.Watched()} {
			if is {
				got = append(got, word)
			}
		}
		if len(got) != len(strings.Fields(want)) || len(got) > 0 && !strings.Contains(want, got[0]) || strings.Contains(want, "contained") != o.Contained() {
			t.Errorf("%s is %q, want %q", state, got, want)
		}
	}
	for _, o := range []Outcome{{Attempts: 1}, {Throttled: 1}} {
		if !o.Tried() || (Outcome{}).Tried() {
			t.Errorf("%+v was not tried, or one without attempts was", o)
		}
	}
}

func TestAStepIsNamedByWhatItIs(t *testing.T) {
	o := Outcome{Action: policy.DeactivateKey, Target: "AKIAX", AccessKeyID: "AKIAX"}
	if o.Name() != "deactivate-key:AKIAX" || !o.SameStep(o) || o.SameStep(Outcome{Action: policy.DeactivateKey, Target: "AKIAY", AccessKeyID: "AKIAY"}) {
		t.Errorf("%s", o.Name())
	}
	// A key is turned off once, whether it took the bytes or a session that it minted did.
	minted := Outcome{Action: policy.DeactivateKey, Target: "AKIAX", AccessKeyID: "ASIAX"}
	if !o.SameStep(minted) || !minted.SameStep(o) || !minted.ForAnother() || o.ForAnother() || minted.Key() != "AKIAX" || o.Key() != "AKIAX" {
		t.Errorf("the key of a session: %+v", minted)
	}
	role, other := Outcome{Action: policy.DenyRoleSession, Target: "r", AccessKeyID: "ASIAX"}, Outcome{Action: policy.DenyRoleSession, Target: "r", AccessKeyID: "ASIAY"}
	if role.ForAnother() || role.SameStep(other) || role.Key() != "ASIAX" {
		t.Errorf("two sessions of a role are one step: %+v", role)
	}
	fence := func(o Order) string {
		return Outcome{Action: policy.FenceOrigin, Target: "u", AccessKeyID: "AKIAX", Step: Step{Order: &o}}.Of()
	}
	for got, want := range map[string]string{
		role.Of(): "ASIAX", o.Of(): "", fence(Order{Networks: []string{"10.1.2.0/24", "10.1.3.0/24"}}): "10.1.2.0/24 10.1.3.0/24",
		fence(Order{Endpoint: "vpce-01234567"}):                     "vpce-01234567", // the thief may have two, and each is a step
		o.Command("approve", "20260304-x"):                          "nightlatch approve 20260304-x deactivate-key:AKIAX",
		o.Command("restore", "20260304-x", "--region", "eu-west-1"): "nightlatch restore 20260304-x deactivate-key:AKIAX --region eu-west-1",
		o.Command("restore", "-x"):                                  dashed,
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	hostile := Outcome{Action: policy.DeactivateKey, Target: "AKIA\nrm -rf"}
	for _, line := range []string{hostile.Command("approve", "x", "--region", "r"), o.Command("approve", "x", "--region", "a\nb")} {
		if !strings.HasPrefix(line, "#") {
			t.Errorf("a line with a line break in a name is to be typed: %q", line)
		}
	}
}
