package incident

import (
	"slices"
	"time"

	"nightlatch/internal/containment"
)

// Do is the kind of effect that comes next.
type Do string

// The moves, the most urgent first: of several incidents the one with the first of these is advanced first.
const (
	Act        Do = "act"         // do the first intended step
	Verify     Do = "verify"      // read a step of unknown outcome back
	Judge      Do = "judge"       // find the targets, ask the policy
	ReadMetric Do = "read-metric" // read the metric again
	Enrich     Do = "enrich"      // find what no decision needs and the report should say
	Notify     Do = "tell"        // notify the team
	Query      Do = "look"        // ask the trail: a query round
	Follow     Do = "follow-up"   // a check after the verdict
	Remind     Do = "remind"      // repeat what is asked, or escalate it
	TellHub    Do = "tell-hub"    // tell the hub, whenever nothing else is due
	Close      Do = "close"       // nothing is left to do: write that down
	Wait       Do = "wait"        // nothing before Move.At
	Nothing    Do = "nothing"     // closed
)

// Urgency lists the moves that have an effect, the most urgent first.
func Urgency() []Do {
	return []Do{Act, Verify, Judge, ReadMetric, Enrich, Notify, Query, Follow, Remind, TellHub, Close}
}

// Move is what to do now, or when to come back.
type Move struct {
	Do Do
	// At is until when to wait; set for Wait.
	At time.Time
	// Outcome is the index of the outcome that Act and Verify are about, Notice the one that Notify and TellHub are about.
	Outcome, Notice int
}

// Patience is how long after the incident was opened the search goes on before it is judged on what there is.
const Patience = 12 * time.Minute

// Limits on what is tried again.
const (
	maxVerify = 6 // with doubling waits from two seconds on: about a minute
	// MaxThrottled is how often a write is tried that AWS refuses only for now, with the same waits: about two minutes.
	MaxThrottled = 7
	maxTries     = 5
	// maxAgain is how often all of maxTries is done again where nothing was delivered. The waits double from five minutes on: some ten
	// hours.
	maxAgain = 7
	// maxMetric is how often the metric is read, a query round each, while it confirms nothing, maxMetricConfirmed while it may still rise: it comes
	// late.
	maxMetric          = 4
	maxMetricConfirmed = 8
	// MaxHistory is how often the history is asked for: a question over two weeks may need more time than one query round has.
	MaxHistory = 3
)

// Next says what comes next, from the record and the time alone.
func (r Record) Next(now time.Time) Move {
	if !r.Closed.IsZero() {
		return Move{Do: Nothing}
	}
	if r.MetricRead == 0 {
		return Move{Do: ReadMetric}
	}
	later := soonest{now: now}
	if m, ok := r.nextStep(&later); ok {
		return m
	}
	settled := r.settled()
	if settled && r.unjudged() && !slices.ContainsFunc(r.Outcomes, intended) { // what was decided is done first
		return Move{Do: Judge}
	}
	if r.enrichDue() {
		return Move{Do: Enrich}
	}
	if m, ok := r.nextNotice(Notify, &later); ok {
		return m
	}
	judged := !r.Judged.IsZero()
	if !settled && !(judged && r.Once) && !later.than(r.nextRound()) {
		return Move{Do: Query}
	}
	if judged && !r.Once && !r.pending() { // before a step is seen done, it cannot be seen undone
		if m, ok := r.nextFollowUp(&later); ok {
			return m
		}
	}
	if m, ok := r.nextNotice(TellHub, &later); ok {
		return m
	}
	if !later.at.IsZero() {
		return Move{Do: Wait, At: later.at}
	}
	return Move{Do: Close}
}

// soonest is the first of several times that are yet to come.
type soonest struct{ now, at time.Time }

// than reports whether a time is yet to come, and keeps it in mind.
func (s *soonest) than(at time.Time) bool {
	if !s.now.Before(at) {
		return false
	}
	if s.at.IsZero() || at.Before(s.at) {
		s.at = at
	}
	return true
}

func (r Record) nextStep(later *soonest) (Move, bool) {
	for i, o := range r.Outcomes {
		if intended(o) && (o.Throttled == 0 || !later.than(o.At.Add(time.Second<<o.Throttled))) {
			return Move{Do: Act, Outcome: i}, true
		}
	}
	for i, o := range r.Outcomes {
		if verifiable(o) && !later.than(o.At.Add(2*time.Second<<o.Attempts>>1)) {
			return Move{Do: Verify, Outcome: i}, true
		}
	}
	return Move{}, false
}

func intended(o containment.Outcome) bool { return o.State == containment.Intended }

// Stepped reports whether anything was done or asked: then the team is notified of how it ended.
func (r Record) Stepped() bool {
	return slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.State != containment.Skipped })
}

// verifiable reports whether reading the step back again may still show what became of it.
func verifiable(o containment.Outcome) bool {
	return o.State == containment.Unknown && o.Attempts < maxVerify
}

// enrichDue reports whether what no decision needs is to be found now: who tagged what is protected, who stands behind whom, and what was made
// with the credentials.
func (r Record) enrichDue() bool {
	if r.Judged.IsZero() || r.Enriched || r.pending() {
		return false
	}
	if _, due := r.LineageOf(); due {
		return true
	}
	return slices.ContainsFunc(r.Verdicts, func(v Verdict) bool { return v.Protected != "" }) ||
		slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { _, due := r.BehindDue(o); return due })
}

// pending reports whether a step is still to be done, or to be read back.
func (r Record) pending() bool {
	return slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return intended(o) || verifiable(o) })
}
