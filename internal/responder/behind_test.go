package responder_test

import (
	"fmt"
	"strings"
	"testing"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
)

const minted = "ASIAEXAMPLEMINTED001"

// sessionThief takes all with a session of role web.
func sessionThief() taker {
	return taker{key: minted, owner: "botocore-session-1", role: "web", bytes: 1_000_000, ip: elsewhere}
}

func TestTheKeyBehindASessionIsTold(t *testing.T) {
	const off = "aws iam update-access-key --user-name mara --access-key-id " + stolen + " --status Inactive"
	long := map[string]evidence.Row{}
	for i := range 9 {
		long[fmt.Sprintf("ASIAEXAMPLEHOP0000%02d", i)] = by(roleSession("hop", "x", fmt.Sprintf("ASIAEXAMPLEHOP0000%02d", i+1)))
	}
	long[minted] = by(roleSession("hop", "x", "ASIAEXAMPLEHOP000000"))
	for name, c := range map[string]struct {
		minted  map[string]evidence.Row
		failing string
		sources int
		says    []string
		never   string
	}{
		"a key":                      {map[string]evidence.Row{minted: by(user("mara", stolen))}, "", 1, []string{"minted by access key " + stolen, off}, "AssumeRoleWithSAML"},
		"a chain":                    {map[string]evidence.Row{minted: by(roleSession("hop", "x", "ASIAEXAMPLEHOP000001")), "ASIAEXAMPLEHOP000001": by(user("mara", stolen))}, "", 2, []string{"the chain begins with access key " + stolen, off}, "AssumeRoleWithSAML"},
		"a chain without an end":     {long, "", 5, []string{"the chain ends at session ASIAEXAMPLEHOP000004"}, off},
		"a machine":                  {map[string]evidence.Row{minted: by(actor.Identity{Type: "AWSService", InvokedBy: "ec2.amazonaws.com"})}, "", 1, []string{"minted by the AWS service ec2.amazonaws.com"}, off},
		"nobody that is shown":       {nil, "", 0, []string{"who was given the session is not known", "AssumeRoleWithSAML"}, off},
		"a trail that does not tell": {nil, "minter", 0, []string{"the trail was not asked what stands behind it, or did not answer", "AssumeRoleWithSAML"}, off},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.account.AddRole("web", nil)
			w.trail.takers, w.trail.minted, w.trail.failing = []taker{sessionThief()}, c.minted, c.failing
			r := w.handle(t)
			if len(r.Outcomes) != 1 || len(r.Outcomes[0].Behind) != c.sources {
				t.Errorf("got %+v, want one step with %d sources", r.Outcomes, c.sources)
			}
			text := unwrap(w.message(t).Body)
			for _, says := range c.says {
				if !strings.Contains(text, says) {
					t.Errorf("it does not say %q:\n%s", says, text)
				}
			}
			if strings.Contains(text, c.never) {
				t.Errorf("it says %q:\n%s", c.never, text)
			}
			w.headline(t, "DECIDE")
		})
	}
}

// What was found is not asked for again, and is told once.
func TestWhoStandsBehindIsToldOnce(t *testing.T) {
	w := watched()
	w.account.AddRole("web", nil)
	w.trail.takers, w.trail.minted = []taker{sessionThief()}, map[string]evidence.Row{minted: by(user("mara", stolen))}
	r := w.handle(t)
	if n := w.trail.questions("minter"); n != 1 {
		t.Errorf("got %d questions for the minter, want 1", n)
	}
	if n := strings.Count(strings.Join(r.Outcomes[0].Runbook, "\n"), "update-access-key"); n != 1 {
		t.Errorf("the line stands %d times in %q", n, r.Outcomes[0].Runbook)
	}
}

// A long-term key has nobody behind it whom the trail is asked for, whatever becomes of it.
func TestNobodyIsAskedForBehindAKey(t *testing.T) {
	w := newWorld()
	w.handle(t)
	if n := w.trail.questions("minter") + w.trail.questions("ordered"); n != 0 {
		t.Errorf("got %d questions", n)
	}
}
