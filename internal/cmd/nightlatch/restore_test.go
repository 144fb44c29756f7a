package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
	"nightlatch/internal/sandbox"
)

// lateIAM is an account that shows a write late, or never, or whose write gets no answer.
type lateIAM struct {
	now, shown string
	reads      int // until a write is seen; the first comes before it
	lost       error
}

func (l *lateIAM) Identify(context.Context, actor.Credential) (policy.Target, error) {
	return policy.Target{}, errors.New("nobody is identified")
}

func (l *lateIAM) Quarantine(context.Context, string, string) (string, bool, error) {
	return "", false, errors.New("nobody is quarantined")
}

func (l *lateIAM) Keys(context.Context, string) ([]containment.Key, error) { return nil, nil }

func (l *lateIAM) Read(context.Context, containment.Ref) (containment.Doc, error) {
	if l.reads--; l.reads < 0 {
		l.shown = l.now
	}
	return containment.Doc{Text: l.shown}, nil
}

func (l *lateIAM) Write(_ context.Context, _ containment.Ref, d containment.Doc) error {
	l.now = d.Text
	return l.lost
}

// What is written and not seen is called unknown, after fifteen seconds; what is seen within them is called restored.
func TestRestoreClaimsWhatItHasSeen(t *testing.T) {
	key := policy.Target{Type: policy.AccessKey, ID: "AKIAEXAMPLESTOLEN001", Owner: "mara\x1b[2J"}
	o := containment.Outcome{Action: policy.DeactivateKey, Target: key.ID, State: containment.Done, Step: containment.DeactivateKey(key, containment.Doc{Text: containment.Active})}
	for name, c := range map[string]struct {
		account lateIAM
		out     string
		err     string
		waited  time.Duration
	}{
		"at once":                     {lateIAM{reads: 1}, "Restored: deactivate-key AKIAEXAMPLESTOLEN001 of mara\\x1b[2J is Active, read back.\n", "", 0},
		"after three seconds":         {lateIAM{reads: 3}, "Restored: deactivate-key AKIAEXAMPLESTOLEN001 of mara\\x1b[2J is Active, read back.\n", "", 3 * time.Second},
		"not within fifteen":          {lateIAM{reads: 100}, "", "UNKNOWN whether deactivate-key AKIAEXAMPLESTOLEN001 of mara\\x1b[2J is Active now: it still reads as Inactive; run the same command again to see", 15 * time.Second},
		"the answer was lost":         {lateIAM{reads: 100, lost: errors.New("no answer came")}, "", "UNKNOWN whether deactivate-key AKIAEXAMPLESTOLEN001 of mara\\x1b[2J is Active now: no answer came; run", 15 * time.Second},
		"a lost answer, and it is so": {lateIAM{reads: 2, lost: errors.New("no answer came")}, "Restored: deactivate-key AKIAEXAMPLESTOLEN001 of mara\\x1b[2J is Active, read back.\n", "", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			account := c.account
			account.now, account.shown = containment.Inactive, containment.Inactive
			start := time.Date(2026, 3, 4, 0, 30, 0, 0, time.UTC)
			clock := sandbox.NewClock(start)
			var out, errs bytes.Buffer
			err := restore(t.Context(), streams{nil, &out, &errs, &scratch{}}, &account, o, clock)
			if out.String() != c.out || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %q, %v", out.String(), err)
			}
			if waited := clock.Now().Sub(start); waited != c.waited {
				t.Errorf("waited %s, want %s", waited, c.waited)
			}
		})
	}
}

// Bad input is 2, and what could not be done is 1.
func TestExitCodes(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	none := t.TempDir() + "/none"
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	for args, want := range map[string]int{
		"--help": 0, "restore --help": 0, "pretend": 2, "mode act": 2, "mode": 2, "approve": 2, "approve x-1 one": 2, "approve x-1 --yes": 2, "restore x-1 1 --yes": 2, "incidents -n 0": 2, "incidents --stack a_b": 2,
		"mode ask --url http://x/": 2, "incidents": 1, "mode ask": 1, "approve x-1": 1, "restore x-1 1": 1,
	} {
		var out, errs bytes.Buffer
		if got := run(t.Context(), strings.Fields(args), streams{strings.NewReader(""), &out, &errs, &scratch{}}); got != want {
			t.Errorf("%s: exit code %d, want %d: %s", args, got, want, errs.String())
		}
	}
}
