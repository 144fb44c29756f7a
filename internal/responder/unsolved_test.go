package responder_test

import (
	"errors"
	"strings"
	"testing"

	"nightlatch/internal/alarm"
)

// What is worst is repeated: a confirmed alarm of which CloudTrail shows nobody, or too little, or nothing at all.
func TestWhatNobodyExplainsIsRepeatedAndEscalated(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*world)
		says   string
		told   []string
	}{
		"nobody":       {func(w *world) { w.trail.takers = nil }, "CloudTrail shows nobody", []string{"FIRED", "NOBODY FOUND", "STILL OPEN, NOBODY FOUND", "STILL OPEN, NOBODY FOUND", "ESCALATED, NOBODY FOUND", "CLOSED, NOBODY ANSWERED, NOBODY FOUND"}},
		"no answer":    {func(w *world) { w.trail.always = errors.New("internal failure") }, "CloudTrail could not be asked", []string{"FIRED", "COULD NOT QUERY", "STILL OPEN, COULD NOT QUERY", "STILL OPEN, COULD NOT QUERY", "ESCALATED, COULD NOT QUERY", "CLOSED, NOBODY ANSWERED, COULD NOT QUERY"}},
		"a small part": {func(w *world) { w.trail.takers = []taker{job(5_000)} }, "CloudTrail shows less than 80 % of them", []string{"FIRED", "NOT EXPLAINED", "STILL OPEN, NOT EXPLAINED", "STILL OPEN, NOT EXPLAINED", "ESCALATED, NOT EXPLAINED", "CLOSED, NOBODY ANSWERED, NOT EXPLAINED"}},
		"somebody whom the record does not name": {func(w *world) {
			w.trail.takers = []taker{{typ: "Alien", bytes: 1_000_000, ip: elsewhere, stranger: true}}
		}, "",
			[]string{"FIRED", "DECIDE", "STILL OPEN, DECIDE", "STILL OPEN, DECIDE", "ESCALATED, DECIDE", "CLOSED, NOBODY ANSWERED, DECIDE"}},
		"a service that never read here": {func(w *world) {
			w.trail.takers = []taker{{typ: "AWSService", via: "macie.amazonaws.com", bytes: 1_000_000, ip: elsewhere, stranger: true}}
		}, "", []string{"FIRED", "DECIDE", "STILL OPEN, DECIDE", "STILL OPEN, DECIDE", "ESCALATED, DECIDE", "CLOSED, NOBODY ANSWERED, DECIDE"}},
		"enough": {func(w *world) { w.trail.takers = []taker{job(900_000)} }, "", nil},
		"an alarm that is not confirmed": {func(w *world) {
			w.trail.takers = nil
			w.meter.Buckets = map[string][]alarm.Point{}
		}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := watched()
			c.before(w)
			r := w.handle(t)
			if c.told != nil {
				w.notified(t, c.told...)
			}
			if got := r.Unsolved(); got != c.says {
				t.Errorf("got %q, want %q", got, c.says)
			}
			if (len(c.told) > 0) != !r.Escalated.IsZero() && name != "enough" {
				t.Errorf("escalated at %v", r.Escalated)
			}
			for _, m := range w.channel.Sent()[1:] {
				body := strings.Join(strings.Fields(m.Body), " ")
				if !strings.Contains(m.Subject, "CLOSED") && strings.Contains(body, "who took these bytes: ") != (c.says != "") {
					t.Errorf("a message does not say that it waits for somebody:\n%s", m.Body)
				}
			}
		})
	}
}
