package containment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/actor"
	"nightlatch/internal/policy"
)

// fakeAccount is an account with one setting. Its faults are taken one a call; when none is left, calls succeed.
type fakeAccount struct {
	t     *testing.T
	doc   Doc
	late  int   // how many reads still show what was there before the last write
	old   Doc   // what those show
	wrong error // what Read fails with
	// before a write takes effect or after it: an error that says whether anything happened.
	refuse, before, after []error
	// meddle is what somebody else makes of the setting between the write and the next read.
	meddle *Doc
	back   bool // what is to be written is Active
	calls  []string
}

func (f *fakeAccount) Identify(context.Context, actor.Credential) (policy.Target, error) {
	f.t.Error("the executor asked who somebody is")
	return policy.Target{}, nil
}

func (f *fakeAccount) Quarantine(context.Context, string, string) (string, bool, error) {
	f.t.Error("the executor asked for a quarantine")
	return "", false, nil
}

func (f *fakeAccount) Read(_ context.Context, r Ref) (Doc, error) {
	f.calls = append(f.calls, "read")
	if r != KeyRef(someKey()) {
		f.t.Errorf("Read(%+v): another setting", r)
	}
	if f.wrong != nil {
		return Doc{}, f.wrong
	}
	if f.late > 0 {
		f.late--
		return f.old, nil
	}
	return f.doc, nil
}

func (f *fakeAccount) Write(_ context.Context, r Ref, d Doc) error {
	f.calls = append(f.calls, "write")
	if r != KeyRef(someKey()) || d != map[bool]Doc{false: isInactive, true: isActive}[f.back] {
		f.t.Errorf("Write(%+v, %+v): not what the step says", r, d)
	}
	take := func(faults *[]error) error {
		if len(*faults) == 0 {
			return nil
		}
		err := (*faults)[0]
		*faults = (*faults)[1:]
		return err
	}
	if err := take(&f.refuse); err != nil {
		return fmt.Errorf("%w: %w", ErrNotDone, err)
	}
	if err := take(&f.before); err != nil {
		return err
	}
	f.old, f.doc = f.doc, d
	if f.meddle != nil {
		f.doc = *f.meddle
	}
	return take(&f.after)
}

func (f *fakeAccount) Keys(context.Context, string) ([]Key, error) {
	return nil, errors.New("an executor asks for no keys")
}

func (f *fakeAccount) count(call string) int {
	n := 0
	for _, c := range f.calls {
		if c == call {
			n++
		}
	}
	return n
}

func someKey() policy.Target {
	return policy.Target{Type: policy.AccessKey, ID: "AKIAIOSFODNN7EXAMPLE", Owner: "backup-exports", Known: true}
}

var (
	isActive   = Doc{Text: Active}
	isInactive = Doc{Text: Inactive}
	isGone     = Doc{Absent: true}
	errTimeout = errors.New("request timed out")
)

func TestGate(t *testing.T) {
	step, byHand, already, gone := DeactivateKey(someKey(), isActive), Step{Action: policy.DenyRoleSession}, DeactivateKey(someKey(), isInactive),
		DeactivateKey(someKey(), isGone)
	modes := []Mode{"", ModeObserve, ModeAsk, ModeAct, "ACT", "act "}
	for name, c := range map[string]struct {
		step     Step
		decision policy.Decision
		want     map[Mode]State // of the modes that are not here: Asked
	}{
		"left, whatever the mode":          {step, policy.Leave, map[Mode]State{"": Skipped, ModeObserve: Skipped, ModeAsk: Skipped, ModeAct: Skipped, "ACT": Skipped, "act ": Skipped}},
		"asked, whatever the mode":         {step, policy.Ask, nil},
		"no decision is asked":             {step, "", nil},
		"an unknown decision is asked":     {step, "Contain", nil},
		"contained in mode act only":       {step, policy.Contain, map[Mode]State{ModeObserve: DryRun, ModeAct: Intended}},
		"what is done by hand is asked":    {byHand, policy.Contain, nil},
		"what is by hand and left is left": {byHand, policy.Leave, map[Mode]State{"": Skipped, ModeObserve: Skipped, ModeAsk: Skipped, ModeAct: Skipped, "ACT": Skipped, "act ": Skipped}},
		"a key that is inactive already":   {already, policy.Contain, map[Mode]State{"": Already, ModeObserve: Already, ModeAsk: Already, ModeAct: Already, "ACT": Already, "act ": Already}},
		"a key that is gone":               {gone, policy.Contain, map[Mode]State{"": Already, ModeObserve: Already, ModeAsk: Already, ModeAct: Already, "ACT": Already, "act ": Already}},
	} {
		for _, m := range modes {
			t.Run(fmt.Sprintf("%s, mode %q", name, m), func(t *testing.T) {
				want, ok := c.want[m]
				if !ok {
					want = Asked
				}
				account := &fakeAccount{t: t}
				if got := (Executor{Account: account, Mode: m}).Gate(c.step, c.decision); got != want {
					t.Errorf("Gate = %q, want %q", got, want)
				}
				if len(account.calls) > 0 {
					t.Errorf("Gate called the account: %v", account.calls)
				}
			})
		}
	}
}

func TestDoWritesInModeActOnly(t *testing.T) {
	for _, m := range []Mode{"", ModeObserve, ModeAsk, "ACT", "unknown"} {
		for attempts := range 3 {
			account := &fakeAccount{t: t, doc: isActive}
			got, detail := Executor{Account: account, Mode: m}.Do(t.Context(), DeactivateKey(someKey(), isActive), attempts)
			if got != Asked || detail == "" || len(account.calls) != 0 || account.doc != isActive {
				t.Errorf("mode %q, attempt %d: Do = %q, %q, calls %v", m, attempts, got, detail, account.calls)
			}
		}
	}
	account := &fakeAccount{t: t}
	if got, _ := (Executor{Account: account, Mode: ModeAct}).Do(t.Context(), Step{Action: policy.DenyRoleSession, Runbook: []string{"x"}}, 0); got != Asked ||
		len(account.calls) != 0 {
		t.Errorf("a step by hand: Do = %q, calls %v", got, account.calls)
	}
}

func TestDo(t *testing.T) {
	for name, c := range map[string]struct {
		account  fakeAccount
		attempts int
		want     State
		detail   string
		calls    string
		left     Doc
	}{
		"it is done":      {fakeAccount{doc: isActive}, 0, Done, "read back as Inactive", "write read", isInactive},
		"refused":         {fakeAccount{doc: isActive, refuse: []error{errors.New("AccessDenied")}}, 0, Failed, "AccessDenied", "write", isActive},
		"refused for now": {fakeAccount{doc: isActive, refuse: []error{ErrThrottled}}, 0, Intended, "nothing was changed for now", "write", isActive},
		"the second attempt is throttled, the first unseen": {fakeAccount{doc: isActive, refuse: []error{ErrThrottled}}, 1, Unknown,
			"nothing was changed for now", "read write read", isActive},
		"it timed out before it took effect": {fakeAccount{doc: isActive, before: []error{errTimeout}}, 0, Unknown, "request timed out", "write read",
			isActive},
		"it timed out after it took effect": {fakeAccount{doc: isActive, after: []error{errTimeout}}, 0, Done, "read back as Inactive", "write read",
			isInactive},
		"it timed out, and it shows late": {fakeAccount{doc: isActive, after: []error{errTimeout}, late: 1}, 0, Unknown, "request timed out",
			"write read", isInactive},
		"it timed out, and cannot be read": {fakeAccount{doc: isActive, after: []error{errTimeout}, wrong: errors.New("no network")}, 0, Unknown,
			"request timed out", "write read", isInactive},
		"it timed out, and somebody deleted the key": {fakeAccount{doc: isActive, after: []error{errTimeout}, meddle: &isGone}, 0, Drifted,
			"it is gone: somebody has deleted it", "write read", isGone},
		"it shows late": {fakeAccount{doc: isActive, late: 1}, 0, Unknown, "it still reads as Active", "write read", isInactive},
		"it cannot be read": {fakeAccount{doc: isActive, wrong: errors.New("no network")}, 0, Unknown, "it could not be read back: no network",
			"write read", isInactive},
		"somebody switched it on again": {fakeAccount{doc: isActive, meddle: &isActive}, 0, Unknown, "it still reads as Active", "write read",
			isActive},
		"somebody made it something else": {fakeAccount{doc: isActive, meddle: &Doc{Text: "Expired"}}, 0, Drifted,
			"it reads as Expired: somebody else has changed it", "write read", Doc{Text: "Expired"}},
		"the second attempt sees the first": {fakeAccount{doc: isInactive}, 1, Done, "read back as Inactive", "read", isInactive},
		"the second attempt sees that somebody deleted it": {fakeAccount{doc: isGone}, 1, Drifted, "it is gone: somebody has deleted it", "read",
			isGone},
		"the second attempt is needed": {fakeAccount{doc: isActive}, 1, Done, "read back as Inactive", "read write read", isInactive},
		"the second attempt is refused, the first unseen": {fakeAccount{doc: isActive, refuse: []error{errors.New("AccessDenied")}}, 1, Unknown,
			"AccessDenied", "read write read", isActive},
		"the second attempt is refused, the first shows late": {fakeAccount{doc: isInactive, old: isActive, late: 1,
			refuse: []error{errors.New("AccessDenied")}}, 1, Done, "read back as Inactive", "read write read", isInactive},
	} {
		t.Run(name, func(t *testing.T) {
			account := c.account
			account.t = t
			got, detail := Executor{Account: &account, Mode: ModeAct}.Do(t.Context(), DeactivateKey(someKey(), isActive), c.attempts)
			if got != c.want || !strings.Contains(detail, c.detail) {
				t.Errorf("Do = %q, %q, want %q, %q", got, detail, c.want, c.detail)
			}
			if calls := strings.Join(account.calls, " "); calls != c.calls {
				t.Errorf("calls %q, want %q", calls, c.calls)
			}
			if account.doc != c.left {
				t.Errorf("the key is left as %+v, want %+v", account.doc, c.left)
			}
		})
	}
}

// Whatever goes wrong, one Do writes at most once, and Done is only what was read back.
func TestDoNeverWritesTwiceNorClaimsWhatIsNotSo(t *testing.T) {
	faults := [][]error{nil, {errTimeout}}
	for _, refuse := range faults {
		for _, before := range faults {
			for _, after := range faults {
				for late := range 4 {
					for attempts := range 3 {
						for _, doc := range []Doc{isActive, isInactive, isGone} {
							account := &fakeAccount{t: t, doc: doc, old: isActive, late: late, refuse: slices.Clone(refuse), before: slices.Clone(before), after: slices.Clone(after)}
							got, _ := Executor{Account: account, Mode: ModeAct}.Do(t.Context(), DeactivateKey(someKey(), isActive), attempts)
							if account.count("write") > 1 {
								t.Fatalf("%+v: it wrote twice", account)
							}
							if got == Done && account.doc != isInactive {
								t.Fatalf("%+v: Done, and it is not", account)
							}
							if got == Failed && attempts > 0 {
								t.Fatalf("%+v: Failed after an attempt of unknown outcome", account)
							}
							if attempts > 0 && account.calls[0] != "read" {
								t.Fatalf("%+v: it did not read before it wrote again", account)
							}
						}
					}
				}
			}
		}
	}
}

func TestVerify(t *testing.T) {
	for name, c := range map[string]struct {
		account fakeAccount
		want    State
	}{
		"done":      {fakeAccount{doc: isInactive}, Done},
		"as before": {fakeAccount{doc: isActive}, Unknown},
		"gone":      {fakeAccount{doc: isGone}, Drifted},
		"empty":     {fakeAccount{}, Drifted},
		"unread":    {fakeAccount{doc: isInactive, wrong: errTimeout}, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			account := c.account
			account.t = t
			for _, m := range []Mode{"", ModeObserve, ModeAct} { // a lowered mode still says how things stand
				got, detail := Executor{Account: &account, Mode: m}.Verify(t.Context(), DeactivateKey(someKey(), isActive))
				if got != c.want || detail == "" {
					t.Errorf("mode %q: Verify = %q, %q, want %q", m, got, detail, c.want)
				}
			}
			if account.count("write") > 0 {
				t.Errorf("Verify wrote: %v", account.calls)
			}
		})
	}
}

func TestParseMode(t *testing.T) {
	for in, want := range map[string]Mode{"": ModeAsk, "observe": ModeObserve, "ask": ModeAsk, "act": ModeAct} {
		if got, err := ParseMode(in); got != want || err != nil {
			t.Errorf("ParseMode(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"Act", "act ", "all", "dry-run", "\x1b[31mact"} {
		if got, err := ParseMode(in); got != ModeAsk || err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("ParseMode(%q) = %q, %v, want an error", in, got, err)
		}
	}
}
