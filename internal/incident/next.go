package incident

import (
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// Do is the kind of effect that comes next.
type Do string

// The moves.
const (
	ReadMetric Do = "read-metric" // read the metric again
	LookUp     Do = "look"        // ask the trail
	Judge      Do = "judge"       // find the targets, ask the policy
	Act        Do = "act"         // do the first intended step
	Verify     Do = "verify"      // read a step of unknown outcome back
	Enrich     Do = "enrich"      // find what no decision needs and the report should say
	Tell       Do = "tell"        // tell the team
	Close      Do = "close"       // nothing is left to do: write that down
	Wait       Do = "wait"        // nothing before Move.At
	Nothing    Do = "nothing"     // closed
)

// Move is what to do now, or when to look again.
type Move struct {
	Do Do
	// At is until when to wait; set for Wait.
	At time.Time
	// Outcome is the index of the outcome that Act and Verify are about, Notice the one that Tell is about.
	Outcome, Notice int
}

// Patience is how long after the incident was opened the search goes on: Lambda gives fifteen minutes, and what comes after the
// search needs some of them.
const Patience = 12 * time.Minute

// explainedTooMuch is the part from which on CloudTrail and the metric contradict each other.
const explainedTooMuch = 1.1

// Limits on what is tried again.
const (
	maxVerify = 6 // with doubling waits from two seconds on: about a minute
	maxTell   = 5
	maxMetric = 4
	// MaxHistory is how often the history is asked for: a question over two weeks may need more than the time of one look.
	MaxHistory = 3
)

// waits are the pauses between two looks, growing: CloudTrail is about five minutes behind, and each look is billed.
var waits = []time.Duration{30 * time.Second, 45 * time.Second, time.Minute, 90 * time.Second, 2 * time.Minute}

// Next says what comes next, from the record and the time alone.
func (r Record) Next(now time.Time) Move {
	switch {
	case !r.Closed.IsZero():
		return Move{Do: Nothing}
	case r.MetricRead == 0:
		return Move{Do: ReadMetric}
	case r.Judged.IsZero() && !r.settled():
		if at := r.nextLook(); now.Before(at) {
			return Move{Do: Wait, At: at}
		}
		return Move{Do: LookUp}
	case r.Judged.IsZero():
		return Move{Do: Judge}
	}
	for i, o := range r.Outcomes {
		if o.State == containment.Intended {
			return Move{Do: Act, Outcome: i}
		}
	}
	var wait time.Time // until the first of those that are tried again
	later := func(at time.Time) bool {
		if now.Before(at) && (wait.IsZero() || at.Before(wait)) {
			wait = at
		}
		return now.Before(at)
	}
	for i, o := range r.Outcomes {
		if o.State != containment.Unknown || o.Attempts >= maxVerify || later(o.At.Add(2*time.Second<<o.Attempts>>1)) {
			continue
		}
		return Move{Do: Verify, Outcome: i}
	}
	if !wait.IsZero() {
		return Move{Do: Wait, At: wait}
	}
	if !r.Enriched && slices.ContainsFunc(r.Verdicts, func(v Verdict) bool { return v.Protected != "" }) {
		return Move{Do: Enrich}
	}
	for i, n := range r.Notified {
		if (n.Tries > 0 && n.Error == "") || n.Tries >= maxTell || n.Tries > 0 && later(n.At.Add(5*time.Second<<n.Tries)) {
			continue // a channel that fails does not keep the next one from being told
		}
		return Move{Do: Tell, Notice: i}
	}
	if !wait.IsZero() {
		return Move{Do: Wait, At: wait}
	}
	return Move{Do: Close}
}

// settled reports whether looking again can change nothing that matters: it is enough for the policy, or the last look was the last
// that there is time for, or there is no bucket to ask about; or the evidence is complete, the metric and the history need not be
// asked again, and either most of the bytes are explained or no bytes are confirmed that could be.
func (r Record) settled() bool {
	e := r.Evidence
	last := len(r.Looks) > 0 && !r.Looks[len(r.Looks)-1].At.Before(r.Deadline)
	if r.Enough || last || len(r.Alarm.Buckets) == 0 {
		return true
	}
	claimed := r.Alarm.Source == alarm.Rang && r.Alarm.Confirmed
	return e.Complete && !r.MetricDue() && !r.HistoryDue() && (e.Explains() || !claimed)
}

// nextLook is when the trail is asked again: after growing waits while the bytes are not explained; once they are, when the
// settling time is over, and for an equal look soon after that.
func (r Record) nextLook() time.Time {
	if len(r.Looks) == 0 {
		return r.Opened
	}
	last := r.Looks[len(r.Looks)-1].At
	settles := r.Alarm.To.Add(evidence.Settling)
	at := last.Add(waits[min(len(r.Looks), len(waits))-1])
	switch {
	case r.Evidence.Explains():
		if at = last.Add(waits[0]); at.Before(settles) {
			at = settles
		}
	case last.Before(settles) && at.After(settles):
		at = settles
	}
	if last.Before(r.Deadline) && at.After(r.Deadline) {
		at = r.Deadline
	}
	return at
}

// MetricDue reports whether a look should read the metric again first: it could not be read, or does not confirm yet, or CloudTrail
// shows more than it does. Request metrics come late.
func (r Record) MetricDue() bool {
	conflict := r.Evidence.Explained != nil && *r.Evidence.Explained > explainedTooMuch
	return (!r.Alarm.Confirmed || conflict) && r.MetricRead < maxMetric
}

// HistoryDue reports whether a look should ask for the history: it is not known for this window. A question that went over the budget
// or has failed again and again is not asked again: each time is billed.
func (r Record) HistoryDue() bool {
	return (r.History == nil || !r.History.Before.Equal(r.Alarm.From)) && r.HistoryAsked < MaxHistory
}

// Complete reports whether the last look makes the evidence complete: the settling time is over, and the look before it saw the
// same in the same window. A newest-event watermark would prove nothing: events arrive in no order.
func (r Record) Complete() bool {
	n := len(r.Looks)
	if n < 2 {
		return false
	}
	last, before := r.Looks[n-1], r.Looks[n-2]
	return !last.At.Before(last.To.Add(evidence.Settling)) && last.Digest != "" && last.Digest == before.Digest &&
		last.From.Equal(before.From) && last.To.Equal(before.To)
}

// Unheard reports whether no channel has accepted the incident's message, though there are channels.
func (r Record) Unheard() bool {
	for _, n := range r.Notified {
		if n.Tries > 0 && n.Error == "" {
			return false
		}
	}
	return len(r.Notified) > 0
}

// TellAgain is an incident that nobody heard, to be told once more: a later delivery of its ring finds it closed.
func (r Record) TellAgain(now time.Time) Record {
	for i := range r.Notified {
		r.Notified[i].Tries = 0
	}
	r.Closed = time.Time{}
	r.Note(now, "nobody has heard: telling again")
	return r
}
