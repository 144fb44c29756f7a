package report

import (
	"strings"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// Who else works with a credential stands beside its step, before the line to run; what others could choose in it is harmless and short.
func TestWhatWouldBreak(t *testing.T) {
	hour := func(n int) time.Time { return clockAt(-time.Duration(n) * time.Hour) }
	hourly := evidence.Use{Place: evidence.Place{Network: "10.0.3.0/24"}, First: hour(167), Last: clockAt(-40 * time.Minute), Hours: 160, Days: 8, Clocks: 24, Programs: evidence.Some{Count: 1, Names: []string{"aws-cli"}},
		Services: evidence.Some{Count: 2, Names: []string{"s3.amazonaws.com", "sqs.amazonaws.com"}}, Buckets: evidence.Some{Count: 5, Names: []string{"a", "z"}}}
	nightly := evidence.Use{Place: evidence.Place{VPCEndpoint: "vpce-1"}, First: hour(160), Last: hour(21), Hours: 7, Days: 7, Clocks: 1, Clock: 7200, Services: evidence.Some{Count: 1, Names: []string{"s3.amazonaws.com"}}}
	fresh := evidence.Use{Place: evidence.Place{Network: "192.0.2.0/24"}, First: clockAt(-90 * time.Minute), Last: clockAt(-30 * time.Minute), Hours: 2, Days: 1, Clocks: 2}
	hostile := evidence.Use{Place: evidence.Place{Network: "a\nDONE\u202e"}, First: hour(100), Last: hour(72), Hours: 3, Days: 3, Clocks: 3, Programs: evidence.Some{Count: 90, Names: []string{strings.Repeat("x", 64), "DONE. Nothing to do"}},
		Services: evidence.Some{Count: 1, Names: []string{"s3.amazonaws.com"}}, Buckets: evidence.Some{Count: 1, Names: []string{"b\nUndo: rm"}}}
	for name, c := range map[string]struct {
		used  *evidence.AlsoUsed
		state containment.State
		says  []string
		never []string
	}{
		"every hour, and every night": {&evidence.AlsoUsed{Places: 2, Listed: []evidence.Use{hourly, nightly}}, containment.Asked, []string{
			"Would break it was also used every hour from 10.0.3.0/24 by aws-cli, calling s3 and sqs (a, z and 3 more buckets), last 40 minutes before; " +
				"every day at about 02:00 from vpce-1, calling s3, last 21 hours before Run aws iam"}, []string{"more place", "Breaks", "NEW", "who else works with"}},
		"once it is done":      {&evidence.AlsoUsed{Places: 9, Listed: []evidence.Use{hourly, nightly, fresh}}, containment.Done, []string{"Breaks it was also used every hour", "before; 7 more places in the incident's JSON or beyond To undo"}, []string{"Would break"}},
		"a place that is new":  {&evidence.AlsoUsed{Places: 1, Listed: []evidence.Use{fresh}}, containment.Asked, []string{"it was also used on 1 of 7 days from 192.0.2.0/24, last 30 minutes before, NEW there, first 90 minutes before Run"}, nil},
		"nobody else":          {&evidence.AlsoUsed{}, containment.Asked, []string{"Would break nothing that the trail shows: in the 7 days before it was used nowhere else Run"}, []string{"who else works with"}},
		"it is not known":      {nil, containment.Asked, []string{"who else works with AKIAEXAMPLESTOLEN001, and would be cut off"}, []string{"Would break"}},
		"nothing is done":      {nil, containment.Skipped, nil, []string{"Would break", "who else works with"}},
		"what others may call": {&evidence.AlsoUsed{Places: 1, Listed: []evidence.Use{hostile}}, containment.Asked, []string{`on 3 of 7 days from a\nDONE\u202e by ` + strings.Repeat("x", 37) + "..., DONE. Nothing to do and 88 more programs, calling s3 (b\\nUndo: rm), last 3 days before"}, []string{"\u202e"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := judged(theft(), policy.Ask, c.state, "", "ask-in-use: somebody")
			r.Evidence.Actors[0].AlsoUsed = c.used
			text := Text(r).Body
			body := strings.Join(strings.Fields(text), " ")
			for _, says := range c.says {
				if !strings.Contains(body, says) {
					t.Errorf("want %q in\n%s", says, text)
				}
			}
			for _, never := range c.never {
				if strings.Contains(body, never) {
					t.Errorf("never %q in\n%s", never, text)
				}
			}
		})
	}

	// What is known of a session is not known of the key that minted it.
	minted := judged(theft(), policy.Ask, containment.Asked, "", "ask-in-use: somebody")
	minted.Evidence.Actors[0].AccessKeyID, minted.Outcomes[0].AccessKeyID = "ASIAEXAMPLESESSION01", "ASIAEXAMPLESESSION01"
	if body := strings.Join(strings.Fields(Text(minted).Body), " "); strings.Contains(body, "Would break") || !strings.Contains(body, "who else works with "+stolen+", and would be cut off") {
		t.Errorf("the session's places are called the key's:\n%s", body)
	}

	r := judged(theft(), policy.Ask, containment.Asked, "", "ask-in-use: somebody")
	r.Evidence.Actors[0].AlsoUsed, r.Evidence.TrailFrom, r.Evidence.TrailTo = &evidence.AlsoUsed{}, hour(50), clockAt(time.Hour)
	if body := strings.Join(strings.Fields(Text(r).Body), " "); !strings.Contains(body, "in the 2 days before that the trail holds it was used nowhere else") {
		t.Errorf("a trail of 50 hours is taken for 7 days:\n%s", body)
	}
}
