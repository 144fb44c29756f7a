package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
	"nightlatch/internal/rehearsal"
)

const (
	// RehearsalName is what the check of rehearsals is called.
	RehearsalName = "rehearsal"
	// rehearser is the function of a stack that has a canary, by its logical id.
	rehearser = "Rehearser"
	// rehearseWithin is how old the last rehearsal may be, and layWithin the canary's last day of history: it is laid every third day.
	rehearseWithin = 92 * 24 * time.Hour
	layWithin      = 5 * 24 * time.Hour
	// restoreWithin is how long after the close of its incident the canary's key may be off: the function looks every fifteen minutes.
	restoreWithin = time.Hour
	// rehearse is how one is begun.
	rehearse = "nightlatch rehearse"
)

// RehearsalRead reads what the rehearsals remember. Errors are one sentence.
type RehearsalRead func(context.Context) (rehearsal.State, error)

// Rehearsal checks that the last rehearsal did not fail, and that the next one can begin. One that is missing is told once a week. A stack without a
// canary has none, which is said.
func Rehearsal(stack Stack, read RehearsalRead, now func() time.Time, grants ...grant.Grant) Check {
	return onStack(RehearsalName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		if !slices.ContainsFunc(d.Resources, func(r Resource) bool { return r.Kind == Function && r.Name == rehearser }) {
			return Answer{State: Holds, Says: "there is no canary to rehearse with: the setting canary makes one"}
		}
		s, err := read(ctx)
		if err != nil {
			return unread(err)
		}
		days, _ := strconv.Atoi(d.variable("NIGHTLATCH_DAYS"))
		return rehearsed(s, now(), max(rehearseWithin, time.Duration(days)*24*time.Hour+layWithin))
	})
}

// rehearsed says what is wrong with what the rehearsals remember, of which the last may be so old. One that failed is told once a week while no other can
// begin.
func rehearsed(s rehearsal.State, now time.Time, within time.Duration) Answer {
	var all []Finding
	last := s.Last
	switch {
	case last == nil:
		all = append(all, Finding{Weekly: true, Says: "the chain was never rehearsed", Mend: rehearse + ", when the canary has its history"})
	case last.Outcome == rehearsal.Failed:
		f := Finding{Says: fmt.Sprintf("the rehearsal of %s UTC failed: %s", prose.Minute(last.Begun), prose.Plain(last.Why)), Mend: "mend what the sentence says, and rehearse again: " + rehearse}
		if again := s.Again(); now.Before(again) {
			f.Weekly, f.Mend = true, f.Mend+", from "+prose.Minute(again)+" UTC on"
		}
		all = append(all, f)
	case now.Sub(last.Begun) > within:
		all = append(all, Finding{Weekly: true, Says: fmt.Sprintf("the last rehearsal was on %s UTC", prose.Minute(last.Begun)), Mend: rehearse + "; the setting rehearseDays has it begin by itself"})
	}
	if s.Trouble != "" {
		all = append(all, Finding{Says: prose.Plain(s.Trouble), Mend: "do what the sentence says; the function that rehearses looks again every fifteen minutes"})
	}
	if last != nil && last.Left != "" {
		all = append(all, Finding{Weekly: true, Says: fmt.Sprintf("since the rehearsal there stands on the canary: %s", prose.Safe(last.Left)), Mend: "take it back, if it still stands: nightlatch restore " + prose.Safe(last.Incident)})
	}
	if last != nil && !last.Closed.IsZero() && last.Restored.IsZero() && now.Sub(last.Closed) > restoreWithin {
		all = append(all, Finding{Says: fmt.Sprintf("the canary's key is off since incident %s, which was closed at %s UTC", prose.Safe(last.Incident), prose.Minute(last.Closed)),
			Mend: "see the log of the function that rehearses; nightlatch restore " + prose.Safe(last.Incident)})
	}
	if n := len(s.Laid); !s.Going(now) && s.Trouble == "" && (n == 0 || now.Sub(s.Laid[n-1]) > layWithin) {
		all = append(all, Finding{Says: "the canary's history is not laid any more", Mend: "see the log of the function that rehearses, and " + rehearse + " for what it says"})
	}
	if last == nil {
		return found(all, "")
	}
	return found(all, "the rehearsal of %s UTC: %s", prose.Minute(last.Begun), map[rehearsal.Outcome]string{"": "it goes on", rehearsal.Contained: "contained", rehearsal.Asked: "asked"}[last.Outcome])
}
