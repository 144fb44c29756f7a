package responder_test

import (
	"fmt"
	"strings"
	"testing"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// shares is a world in which a session of mara's takes the bucket, and others work within reach of the step against it. A policy of the deployer's own
// contains where there is one other at most.
func shares(t *testing.T, others ...string) *world {
	t.Helper()
	w := asks()
	w.trail.takers = []taker{{key: "ASIAEXAMPLESESSION01", owner: "mara", bytes: 1_000_000, ip: elsewhere}}
	w.trail.beside = map[evidence.Sort][]string{evidence.ByName: others, evidence.ByKey: {stolen, neighbour}, evidence.BySession: {"ASIAEXAMPLESESSION01"}}
	p, err := policy.Load("own.cedar", []byte(`@id("own") @because("few others") permit (principal, action == Action::"deny-user-sessions", resource) when { context has hits_others && context.hits_others <= 1 };
		@id("rest") @because("a human decides") permit (principal, action in Action::"contain", resource) when { context.approved };`))
	if err != nil {
		t.Fatal(err)
	}
	w.Policy, w.Mode, w.Steps, w.Cutter = policy.Ready(p), containment.ModeAct, []policy.Action{policy.DenyUserSessions}, w.account
	return w
}

// Whom a step hits beside the thief is asked in the query round after the one that shows him, once, and the policy decides by it.
func TestAPolicyReadsWhomAStepHits(t *testing.T) {
	for name, c := range map[string]struct {
		others   []string
		failing  string
		state    containment.State
		says     string
		question int
	}{
		"one other":   {[]string{account + ":guest"}, "", containment.Done, "Hits 1 other caller of the 14 days before: 1 named caller (guest); the last worked 40 minutes before", 1},
		"two others":  {[]string{account + ":guest", account + ":other"}, "", containment.Asked, "Would hit 2 other callers of the 14 days before: 2 named callers (guest, other); the last worked 40 minutes before", 1},
		"nobody else": {nil, "", containment.Done, "Hits nobody else that the trail shows in the 14 days before", 1},
		"no answer":   {nil, "bystanders", containment.Asked, "Would hit whom beside the thief is NOT KNOWN", 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := shares(t, c.others...)
			w.trail.failing = c.failing
			r := w.handle(t)
			if len(r.Outcomes) != 1 || r.Outcomes[0].State != c.state || r.Outcomes[0].Action != policy.DenyUserSessions {
				t.Fatalf("got %+v", r.Outcomes)
			}
			if n := w.trail.questions("bystanders"); n != c.question {
				t.Errorf("asked %d times, want %d, in %d rounds", n, c.question, len(r.Rounds))
			}
			if got := fmt.Sprint(w.trail.aims); c.failing == "" && got != "[{{ arn:aws:iam::"+account+":user/mara } [ASIAEXAMPLESESSION01]}]" {
				t.Errorf("asked about %s", got)
			}
			sent := w.channel.Sent()
			if body := strings.Join(strings.Fields(sent[len(sent)-1].Body), " "); !strings.Contains(body, c.says) {
				t.Errorf("want %q in\n%s", c.says, sent[len(sent)-1].Body)
			}
		})
	}

	// One key, and one session of a role, is asked nobody about.
	for name, w := range map[string]*world{"a key": newWorld(), "a session": cuts(t, "", policy.DenyRoleSession)} {
		w.handle(t)
		if n := w.trail.questions("bystanders"); n != 0 {
			t.Errorf("%s: asked %d times", name, n)
		}
	}
}
