package responder_test

import (
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
)

// A theft that would be contained is asked about where others can have written the records of it, and each message says what was not read.
func TestForgedEvidenceIsAskedAbout(t *testing.T) {
	for sealed, c := range map[evidence.Sealed]struct {
		state containment.State
		says  string
	}{
		evidence.Proved: {containment.Done, ""},
		evidence.Stated: {containment.Done, "that nobody else can write the trail is STATED, not read"},
		evidence.Open:   {containment.Asked, "the trail is NOT SEALED"},
		"ajar":          {containment.Asked, ""},
	} {
		w := newWorld()
		w.trail.sealed = sealed
		r := w.handle(t)
		if got := state(t, r); got != c.state {
			t.Errorf("%s: got %s, want %s: %q", sealed, got, c.state, r.Verdicts)
		}
		asks := slices.ContainsFunc(r.Verdicts[0].Reasons, func(s string) bool { return strings.HasPrefix(s, "ask-unsealed:") })
		if asks != (c.state == containment.Asked) {
			t.Errorf("%s: the reasons are %q", sealed, r.Verdicts[0].Reasons)
		}
		sent := w.channel.Sent()
		body := strings.Join(strings.Fields(sent[len(sent)-1].Body), " ")
		if !strings.Contains(body, c.says) || c.says == "" && (strings.Contains(body, "STATED") || strings.Contains(body, "NOT SEALED")) {
			t.Errorf("%s: the message is\n%s", sealed, sent[len(sent)-1].Body)
		}
	}
}

// A thief who takes the seal off after his key was turned off does not have the team told to consider the undo.
func TestATrailThatIsOpenedLaterClearsNobody(t *testing.T) {
	for sealed, regrets := range map[evidence.Sealed]bool{evidence.Proved: true, evidence.Open: false} {
		w := watched()
		r := w.watch(t, func(r incident.Record) {
			if len(r.Outcomes) == 1 && r.Outcomes[0].State == containment.Done && len(w.trail.takers) == 1 { // as a forger would have it
				w.trail.sealed, w.trail.takers = sealed, append(w.trail.takers, job(300_000))
			}
		})
		if o := r.Outcomes[0]; o.State != containment.Done || o.Regretted != regrets || w.said("REVISED, UNDO?") != regrets {
			t.Errorf("%s: got %s, regretted %t: %s; the team was told %q", sealed, o.State, o.Regretted, o.Detail, w.subjects())
		}
	}
}
