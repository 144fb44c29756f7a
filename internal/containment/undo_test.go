package containment

import (
	"errors"
	"strings"
	"testing"
)

func TestUndo(t *testing.T) {
	step := DeactivateKey(someKey(), isActive)
	foreign := step
	foreign.Ref.Owner = "mallory"
	odd := Doc{Text: "Expired"}
	for name, c := range map[string]struct {
		account fakeAccount
		step    Step
		want    State
		says    string // "" is no error
		calls   string
		now     Doc
	}{
		"a key that the step has turned off is on again":      {fakeAccount{doc: isInactive}, step, Undone, "", "read write read", isActive},
		"a key that is on already":                            {fakeAccount{doc: isActive}, step, Already, "", "read", isActive},
		"a key that was deleted since":                        {fakeAccount{doc: isGone}, step, Drifted, "expected Inactive, found nothing: it was deleted", "read", isGone},
		"a key in a state that nobody expected":               {fakeAccount{doc: odd}, step, Drifted, "expected Inactive, found Expired", "read", odd},
		"nothing is written over what cannot be read":         {fakeAccount{doc: isInactive, wrong: errTimeout}, step, Failed, "nothing was changed, because what is there now could not be read: request timed out", "read", isInactive},
		"a refusal changed nothing":                           {fakeAccount{doc: isInactive, refuse: []error{errTimeout}}, step, Failed, "nothing was changed: request timed out", "read write", isInactive},
		"a write that came to nothing without saying so":      {fakeAccount{doc: isInactive, before: []error{errTimeout}}, step, Unknown, "request timed out", "read write read", isInactive},
		"a write whose answer was lost is seen done":          {fakeAccount{doc: isInactive, after: []error{errTimeout}}, step, Undone, "", "read write read", isActive},
		"somebody deletes the key meanwhile":                  {fakeAccount{doc: isInactive, meddle: &isGone}, step, Drifted, "somebody else has changed it", "read write read", isGone},
		"what was inactive before is nothing to take back":    {fakeAccount{doc: isInactive}, DeactivateKey(someKey(), isInactive), Failed, "changed nothing", "", isInactive},
		"a key that was gone":                                 {fakeAccount{doc: isGone}, DeactivateKey(someKey(), isGone), Failed, "changed nothing", "", isGone},
		"a step by hand":                                      {fakeAccount{doc: isInactive}, Step{Action: step.Action, Target: step.Target}, Failed, "changed nothing", "", isInactive},
		"a record that names one key and would write another": {fakeAccount{doc: isInactive}, foreign, Failed, `changes "AKIAIOSFODNN7EXAMPLE" of "mallory"`, "", isInactive},
	} {
		t.Run(name, func(t *testing.T) {
			account := c.account
			account.t, account.back = t, true
			got, err := Undo(t.Context(), &account, c.step)
			if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("Undo = %q, %v, want %q, %q", got, err, c.want, c.says)
			}
			if calls := strings.Join(account.calls, " "); calls != c.calls || account.doc != c.now {
				t.Errorf("calls %q leave %+v, want %q and %+v", calls, account.doc, c.calls, c.now)
			}
		})
	}
}

// IAM shows a change late: what is not seen is not claimed, and is seen later.
func TestAnUndoThatIsSeenLate(t *testing.T) {
	step := DeactivateKey(someKey(), isActive)
	account := &fakeAccount{t: t, back: true, doc: isInactive}
	if err := account.Write(t.Context(), step.Ref, step.Before); err != nil {
		t.Fatal(err)
	}
	account.late = 1
	if got, err := ReadUndone(t.Context(), account, step); got != Unknown || err == nil || !strings.Contains(err.Error(), "it still reads as Inactive") {
		t.Errorf("ReadUndone = %q, %v", got, err)
	}
	if got, err := ReadUndone(t.Context(), account, step); got != Undone || err != nil {
		t.Errorf("ReadUndone = %q, %v", got, err)
	}
	account.wrong = errTimeout
	if got, err := ReadUndone(t.Context(), account, step); got != Unknown || !errors.Is(err, errTimeout) {
		t.Errorf("ReadUndone = %q, %v", got, err)
	}
}
