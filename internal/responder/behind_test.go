package responder_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
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
		"a trail that does not tell": {nil, "lineage", 0, []string{"the trail was not asked what stands behind it, or did not answer", "AssumeRoleWithSAML"}, off},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.account.AddRole("web", nil)
			w.trail.takers, w.trail.minted, w.trail.failing = []taker{sessionThief()}, c.minted, c.failing
			r := w.handle(t)
			if session := r.Outcomes[len(r.Outcomes)-1]; session.ForAnother() || len(session.Behind) != c.sources || len(r.Outcomes) > 1 && !r.Outcomes[0].ForAnother() {
				t.Errorf("got %+v, want one step on the session, with %d sources", r.Outcomes, c.sources)
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
	if n := w.trail.questions("lineage"); n != 2 {
		t.Errorf("got %d questions for the lineage, want one for the session and one for the key behind it", n)
	}
	if n := strings.Count(strings.Join(r.Outcomes[0].Runbook, "\n"), "update-access-key"); n != 1 {
		t.Errorf("the line stands %d times in %q", n, r.Outcomes[0].Runbook)
	}
}

// Of a long-term key it is asked who has made it, and what was made with it.
func TestWhatAKeyHasMadeIsTold(t *testing.T) {
	w := newWorld()
	w.trail.minted = map[string]evidence.Row{minted: with(by(user("mara", stolen)), "call", "GetSessionToken"),
		"AKIAEXAMPLEEVESKEY01": with(by(user("mara", stolen)), "service", "iam.amazonaws.com", "call", "CreateAccessKey", "of_user", "eve")}
	r := w.handle(t)
	if n := w.trail.questions("ordered"); n != 0 || len(r.Outcomes[0].Behind) != 0 {
		t.Errorf("got %d questions for who has ordered it, and %+v behind it", n, r.Outcomes[0].Behind)
	}
	var kinds []string
	for _, n := range r.Lineage.Nodes {
		kinds = append(kinds, fmt.Sprint(n.Kind, n.Parent))
	}
	if want := "[long-term-key-1 long-term-key0 session0]"; fmt.Sprint(kinds) != want {
		t.Errorf("got %v, want %s", kinds, want)
	}
	text := unwrap(w.message(t).Body)
	for _, says := range []string{"Long-term access key (" + stolen + ") of IAM user mara TOOK THE BYTES",
		"Session (" + minted + ") of IAM user mara by GetSessionToken at 2026-03-03 23:07:00 with " + stolen + " from 198.51.100.0/24, event event-" + minted,
		"Long-term access key (AKIAEXAMPLEEVESKEY01) of IAM user eve by CreateAccessKey", "aws iam update-access-key --user-name eve --access-key-id AKIAEXAMPLEEVESKEY01 --status Inactive"} {
		if !strings.Contains(text, says) {
			t.Errorf("it does not say %q:\n%s", says, text)
		}
	}
}

// The trail is minutes behind: what was made with a key just before it was turned off shows later, is told once, and is watched from then on.
func TestWhatShowsLaterWasMadeWithTheKeyIsTold(t *testing.T) {
	w := watched()
	w.trail.minted = map[string]evidence.Row{"ASIAEXAMPLEKNOWN0001": with(by(user("mara", stolen)), "call", "GetSessionToken")}
	var asked [][]string
	w.Trail = heard{w.trail, func(q evidence.Question) {
		if since, ok := q.(evidence.Since); ok {
			asked = append(asked, since.KeyIDs)
		}
	}}
	r := w.watch(t, func(r incident.Record) {
		if len(r.FollowUps) == 1 {
			w.trail.minted[minted] = with(by(user("mara", stolen)), "call", "AssumeRole", "role_given", "arn:aws:iam::"+account+":role/adm", "session_given", "x\n\x1b[2J\u202eevil")
			w.trail.minted["ASIAEXAMPLEGRAND0001"] = with(by(roleSession("adm", "x", minted)), "call", "GetScopedCredentials")
		}
	})
	var quiet []bool
	for _, f := range r.FollowUps {
		quiet = append(quiet, f.Quiet())
	}
	if want := []bool{true, false, true, true}; !slices.Equal(quiet, want) {
		t.Errorf("quiet are %v of the follow-ups, want %v: %+v", quiet, want, r.FollowUps)
	}
	found := strings.Join(r.FollowUps[1].Found, "\n")
	if says := "made with " + stolen + ", or with what that has made: session x"; len(r.FollowUps[1].Found) != 1 || !strings.Contains(found, says) || !strings.Contains(found, "of role adm, by AssumeRole at 2026-03-03 23:07:00 with "+stolen) ||
		strings.ContainsAny(found, "\n\x1b") {
		t.Errorf("it was found %q, want one that says %q", found, says)
	}
	if last := asked[len(asked)-1]; !slices.Contains(last, minted) || !slices.Contains(last, "ASIAEXAMPLEGRAND0001") {
		t.Errorf("the sessions are not watched: asked about %q", last)
	}
	if !w.said("NOT QUIET") {
		t.Errorf("the team was notified of %q", w.subjects())
	}
}
