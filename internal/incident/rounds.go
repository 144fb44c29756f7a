package incident

import (
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
)

// explainedTooMuch is the part from which on CloudTrail and the metric contradict each other.
const explainedTooMuch = 1.1

// waits are the growing pauses between two query rounds: CloudTrail is about five minutes behind, and each round is billed.
var waits = []time.Duration{30 * time.Second, 45 * time.Second, time.Minute, 90 * time.Second, 2 * time.Minute}

// unjudged reports whether the evidence there is was not judged yet.
func (r Record) unjudged() bool { return r.Judged.IsZero() || !r.Once && r.Basis() != r.JudgedOn }

// Basis is what a verdict stands on, in short: two that are equal cannot lead to two verdicts.
func (r Record) Basis() string {
	return fmt.Sprintf("%.16s complete=%t confirmed=%t history=%t", r.Digest(), r.Evidence.Complete, r.Alarm.Confirmed, r.Evidence.HistoryDays != nil)
}

// Digest is the digest of the last answer; "" where there is none.
func (r Record) Digest() string {
	for _, l := range slices.Backward(r.Rounds) {
		if l.Digest != "" {
			return l.Digest
		}
	}
	return ""
}

// settled reports whether another query round can change nothing that matters. That is so where the policy has enough, where the last round
// came at the deadline or later, and where there is no bucket to ask about. It is so too where the trail has shown all that it can, metric and
// history need not be asked again, and the bytes are mostly explained, or not confirmed, or not to be held against the trail.
func (r Record) settled() bool {
	e := r.Evidence
	last := len(r.Rounds) > 0 && !r.Rounds[len(r.Rounds)-1].At.Before(r.Deadline)
	if r.Enough || last || len(r.Alarm.Buckets) == 0 {
		return true
	}
	claimed := r.Alarm.Source == alarm.Fired && r.Alarm.Confirmed
	return r.exhausted() && !r.MetricDue() && !r.HistoryDue() && (e.Explains() || r.Alarm.Counts != "" || !claimed)
}

// exhausted reports whether the trail has shown all that it can: the evidence is complete, or would be but for what was lost.
func (r Record) exhausted() bool {
	return r.Evidence.Complete || len(r.Evidence.Lost) > 0 && r.Complete()
}

// nextRound is when the trail is asked again. While the bytes are not explained, the waits grow. Once they are, it is when the settling
// time is over, and soon after that for an equal round.
func (r Record) nextRound() time.Time {
	if len(r.Rounds) == 0 {
		return r.Opened
	}
	last := r.Rounds[len(r.Rounds)-1].At
	settles := r.Alarm.To.Add(evidence.Settling)
	at := last.Add(waits[min(len(r.Rounds), len(waits))-1])
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

// MetricDue reports whether a query round should read the metric again first: it could not be read, or does not confirm yet, or CloudTrail
// shows more than it does. Request metrics come late.
func (r Record) MetricDue() bool {
	conflict := r.Evidence.Explained != nil && *r.Evidence.Explained > explainedTooMuch
	return (!r.Alarm.Confirmed || conflict) && r.MetricRead < maxMetric
}

// HistoryDue reports whether a query round should ask for the history: it is not known for this window. A question that went over the
// budget or has failed again and again is not asked again: each time is billed.
func (r Record) HistoryDue() bool {
	return (r.History == nil || !r.History.Before.Equal(r.Alarm.From)) && r.HistoryAsked < MaxHistory
}

// Complete reports whether the last answer makes the evidence complete: the settling time is over, and the answer before it was the same
// for the same window. A newest-event watermark would prove nothing: events arrive in no order. A query round that failed neither adds to
// it nor takes anything away.
func (r Record) Complete() bool {
	answered := slices.DeleteFunc(slices.Clone(r.Rounds), func(l QueryRound) bool { return l.Digest == "" })
	n := len(answered)
	if n < 2 {
		return false
	}
	sameWindow := func(x, y QueryRound) bool { return x.From.Equal(y.From) && x.To.Equal(y.To) }
	last, before := answered[n-1], answered[n-2]
	return !last.At.Before(last.To.Add(evidence.Settling)) && last.Digest == before.Digest && sameWindow(last, before) &&
		sameWindow(last, r.Rounds[len(r.Rounds)-1])
}
