package incident

import (
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// explainedTooMuch is the part from which on CloudTrail and the metric contradict each other.
const explainedTooMuch = 1.1

// waits are the growing pauses between two query rounds: CloudTrail is about five minutes behind, and each round is billed.
var waits = []time.Duration{30 * time.Second, 45 * time.Second, time.Minute, 90 * time.Second, 2 * time.Minute}

// pause is how long the trail is left alone after a round. Of a confirmed alarm, CloudTrail's records come between two and five minutes after the
// window, and some later: then a theft can be settled, and seconds are worth more than queries.
func (r Record) pause(last time.Time) time.Duration {
	pause, since := waits[min(len(r.Rounds), len(waits))-1], last.Sub(r.Alarm.To)
	switch {
	case r.Once || !r.Alarm.Confirmed || !r.Judged.IsZero():
	case since < metricSettles:
		pause = min(pause, metricSettles-since)
	case since < evidence.Settling:
		pause = 10 * time.Second
	case since < evidence.Settling+3*time.Minute:
		pause = min(pause, 30*time.Second)
	}
	return pause
}

// equalRound is the pause before the equal round that makes the evidence complete.
const equalRound = 30 * time.Second

// conflictTime is how long after the settling time a metric is read again that contradicts CloudTrail.
const conflictTime = time.Minute

// metricSettles is how long after the window's end its metric is given, before two equal readings of it are believed.
const metricSettles = 2 * time.Minute

// unjudged reports whether the evidence there is was not judged yet.
func (r Record) unjudged() bool { return r.Judged.IsZero() || r.Basis() != r.JudgedOn }

// Basis is what a verdict stands on, in short: two that are equal cannot lead to two verdicts.
func (r Record) Basis() string {
	basis := fmt.Sprintf("%.16s complete=%t confirmed=%t history=%t", r.Digest(), r.Evidence.Complete, r.Alarm.Confirmed, r.Evidence.HistoryDays != nil)
	if s := r.Evidence.Seal.Sealed; s != "" && s != evidence.Proved {
		basis += " sealed=" + string(s)
	}
	if len(r.Steps) > 0 && r.Lineage != nil { // what was made with a credential may be denied
		sum := fnv.New64a()
		for _, n := range r.Lineage.Nodes {
			if n.Kind == evidence.SessionNode {
				io.WriteString(sum, n.Name()+"\n")
			}
		}
		basis += fmt.Sprintf(" sessions=%x", sum.Sum64())
	}
	for _, o := range r.Outcomes {
		if o.State == containment.Failed && o.Step.Order != nil { // there is a next best step
			basis += " failed=" + o.Name()
		}
	}
	if r.Lineage != nil {
		for _, m := range r.Lineage.Minted {
			basis += fmt.Sprintf(" %s<%s", m.Session, m.Key)
			if m.Others != nil {
				basis += fmt.Sprintf(" others=%t", *m.Others)
			}
		}
		for _, m := range r.Lineage.Made {
			basis += fmt.Sprintf(" %s>%s created=%t there=%t", m.Actor, m.Key, m.Agrees(), m.There)
			if m.Used != nil {
				basis += fmt.Sprintf(" used=%t", m.UsedElsewhere())
			}
		}
	}
	return basis
}

// Digest is the digest of the last answer; "" where there is none.
func (r Record) Digest() string { return r.answered().Digest }

// answered is the last query round that was answered; zero where none was.
func (r Record) answered() QueryRound {
	for _, l := range slices.Backward(r.Rounds) {
		if l.Digest != "" {
			return l
		}
	}
	return QueryRound{}
}

// settled reports whether another query round can change nothing that matters. That is so where the policy has enough to be judged, where the
// last round came at the deadline or later, and where there is no bucket to ask about. It is so too where the trail has shown all that it can,
// metric and history need not be asked again, and the bytes are mostly explained, or not confirmed, or not to be held against the trail.
func (r Record) settled() bool {
	e := r.Evidence
	last := len(r.Rounds) > 0 && !r.Rounds[len(r.Rounds)-1].At.Before(r.Deadline)
	if r.Enough && r.unjudged() || last || len(r.Alarm.Buckets) == 0 {
		return true
	}
	claimed := r.Alarm.Source == alarm.Fired && r.Alarm.Confirmed
	return r.exhausted() && !r.MetricDue() && !r.HistoryDue() && (e.Explains() || r.Alarm.Counts != "" || !claimed)
}

// exhausted reports whether the trail has shown all that it can: the evidence is complete, or would be but for what was lost.
func (r Record) exhausted() bool {
	return r.Evidence.Complete || len(r.Evidence.Lost) > 0 && r.Complete()
}

// nextRound is when the trail is asked again. The waits grow. Once the bytes are explained, and metric and past known, it is when the settling
// time is over, and soon after that for an equal round.
func (r Record) nextRound() time.Time {
	if len(r.Rounds) == 0 {
		return r.Opened
	}
	last := r.Rounds[len(r.Rounds)-1].At
	settles := r.Alarm.To.Add(evidence.Settling)
	at := last.Add(r.pause(last))
	switch {
	case r.Evidence.Explains() && (!last.Before(settles) || !r.Judged.IsZero() || r.Once || r.MetricKnown() && r.PastKnown()):
		if at = last.Add(equalRound); at.Before(settles) {
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
// shows more than it does, or it may still rise. Request metrics come late.
func (r Record) MetricDue() bool {
	conflict := r.Evidence.Explained != nil && *r.Evidence.Explained > explainedTooMuch &&
		r.MetricRead < maxMetricConfirmed && r.MetricAt.Before(r.Alarm.To.Add(evidence.Settling+conflictTime))
	return !r.Alarm.Confirmed && r.MetricRead < maxMetric || conflict || r.metricRises()
}

// MetricKnown reports whether the metric says how much left in the window: two readings in a row were equal, the last of them metricSettles
// after the window's end. What is given without a CloudWatch is known.
func (r Record) MetricKnown() bool {
	return r.Alarm.Confirmed && (r.Alarm.Given != "" || r.MetricSame >= 2 && !r.MetricAt.Before(r.Alarm.To.Add(metricSettles)))
}

// metricRises reports whether a confirmed metric may still rise, and a reading in the next query round can show that it does not. A verdict waits
// for it.
func (r Record) metricRises() bool {
	return r.Alarm.Source == alarm.Fired && r.Alarm.Confirmed && r.Alarm.Whole() != nil && !r.MetricKnown() &&
		r.MetricRead < maxMetricConfirmed && !r.nextRound().Before(r.Alarm.To.Add(metricSettles))
}

// Edge is the end of the past: what is usual is asked for the time before.
func (r Record) Edge() time.Time { return r.Alarm.From.Add(-evidence.Edge) }

// old reports whether the past is as old in a query round as the trail needs to show all of it.
func (r Record) old(q QueryRound) bool { return !q.At.Before(r.Edge().Add(evidence.Settling)) }

// PastKnown reports whether what is usual is known, and stays so: the past is as old as the trail needs, and its last hour was the same in the
// last answer as in that of the round that asked for the history.
func (r Record) PastKnown() bool {
	last, same := r.answered(), 0
	for _, l := range r.Rounds {
		if l.Past != nil && r.HistoryPast != nil && *l.Past == *r.HistoryPast {
			same++
		}
	}
	return same >= 2 && last.Past != nil && *last.Past == *r.HistoryPast && r.old(last)
}

// HistoryDue reports whether a query round should ask for the history: it is not known for this window, or the past has grown since. A question
// that went over the budget or was asked again and again is not asked again: each time is billed.
func (r Record) HistoryDue() bool {
	last := r.answered()
	grown := r.Judged.IsZero() && last.Past != nil && (r.HistoryPast == nil || *last.Past != *r.HistoryPast) && r.old(last)
	return (r.History == nil || !r.History.Before.Equal(r.Edge()) || grown) && r.HistoryAsked < MaxHistory
}

// CallersDue reports whether a query round should ask who else works with the credentials: where the history is asked for, and no answer is there yet.
func (r Record) CallersDue() bool {
	return r.HistoryDue() && (r.History == nil || r.History.Used == nil)
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
