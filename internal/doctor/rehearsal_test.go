package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/rehearsal"
)

func TestRehearsals(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	run := func(r rehearsal.Run) *rehearsal.Run {
		if r.Told = true; r.Begun.IsZero() {
			r.Begun = now.Add(-30 * day)
		}
		return &r
	}
	laid := []time.Time{now.Add(-4 * day)}
	contained := rehearsal.Run{Outcome: rehearsal.Contained, Incident: "20260202-1", Closed: now.Add(-29 * day), Restored: now.Add(-29 * day)}
	old := contained
	old.Begun = now.Add(-93 * day)
	off := contained
	off.Restored = time.Time{}
	left := contained
	left.Left = "fence-origin x"
	justClosed := off
	justClosed.Closed = now.Add(-30 * time.Minute)
	withCanary := []Resource{{Kind: Function, ID: "Nightlatch-Rehearser-x1", Name: "Rehearser"}}
	for name, c := range map[string]struct {
		resources []Resource
		state     rehearsal.State
		err       error
		want      State
		weekly    bool
		says      string
	}{
		"no canary":                     {[]Resource{{Kind: Function, Name: "Responder"}}, rehearsal.State{}, nil, Holds, false, "no canary"},
		"contained":                     {withCanary, rehearsal.State{Laid: laid, Last: run(contained)}, nil, Holds, false, "the rehearsal of 2026-02-02 12:00 UTC: contained"},
		"going on":                      {withCanary, rehearsal.State{Last: run(rehearsal.Run{Begun: now})}, nil, Holds, false, "it goes on"},
		"closed just now":               {withCanary, rehearsal.State{Last: run(justClosed)}, nil, Holds, false, "contained"},
		"never":                         {withCanary, rehearsal.State{Laid: laid}, nil, Broken, true, "the chain was never rehearsed"},
		"long ago":                      {withCanary, rehearsal.State{Laid: laid, Last: run(old)}, nil, Broken, true, "the last rehearsal was on 2025-12-01 12:00 UTC"},
		"failed":                        {withCanary, rehearsal.State{Laid: laid, Last: run(rehearsal.Run{Outcome: rehearsal.Failed, Why: "no incident\n\x1b[2J"})}, nil, Broken, false, `failed: no incident\n\x1b[2J`},
		"the key stays off":             {withCanary, rehearsal.State{Last: run(off)}, nil, Broken, false, "the canary's key is off since incident 20260202-1"},
		"nothing laid of late":          {withCanary, rehearsal.State{Laid: []time.Time{now.Add(-6 * day)}, Last: run(contained)}, nil, Broken, false, "history is not laid any more"},
		"failed, and another must wait": {withCanary, rehearsal.State{Laid: laid, Last: run(rehearsal.Run{Begun: now.Add(-2 * day), Bytes: 1, Outcome: rehearsal.Failed, Why: "no incident"})}, nil, Broken, true, "failed: no incident"},
		"others use its key":            {withCanary, rehearsal.State{Laid: laid, Last: run(contained), Trouble: "somebody else has used the canary's key"}, nil, Broken, false, "somebody else has used"},
		"a fence is left":               {withCanary, rehearsal.State{Laid: laid, Last: run(left)}, nil, Broken, true, "there stands on the canary: fence-origin x"},
		"by a slow schedule":            {append([]Resource{{Settings: map[string]string{Variable + "NIGHTLATCH_DAYS": "200"}}}, withCanary...), rehearsal.State{Laid: laid, Last: run(old)}, nil, Holds, false, "contained"},
		"not readable":                  {withCanary, rehearsal.State{}, errors.New("the table is away"), Unread, false, "the table is away"},
	} {
		stack := fixed{Resources: c.resources}
		got := Rehearsal(stack, func(context.Context) (rehearsal.State, error) { return c.state, c.err }, func() time.Time { return now }).Run(t.Context())
		says := got.Says
		for _, f := range got.Found {
			if says += f.Says; f.Weekly != c.weekly || f.Mend == "" {
				t.Errorf("%s: got %+v", name, f)
			}
		}
		if got.State != c.want || !strings.Contains(says, c.says) || len(got.Found) > 1 {
			t.Errorf("%s: got %s, %q, want %s, %q", name, got.State, says, c.want, c.says)
		}
	}
}
