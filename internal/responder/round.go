package responder

import (
	"context"
	"time"

	"nightlatch/internal/incident"
	"nightlatch/internal/investigation"
	"nightlatch/internal/judgement"
)

// readMetric reads the metric again: the alarm is a claim.
func (w *worker) readMetric(ctx context.Context, rec *incident.Record) {
	reading, err := w.ask.Metric(ctx, rec.Alarm)
	if err != nil {
		w.Log.ErrorContext(ctx, "reading the metric failed", "incident", rec.ID, "err", err)
	}
	rec.TookReading(w.Clock.Now(), reading, err)
}

// roundTime is the most that one query round may take. An engine waits for a free query slot as long as it may, and an attacker can keep the
// slots full. The team must be notified in time all the same.
const roundTime = 2 * time.Minute

// lastRoundTime is what a query round at the deadline has left.
const lastRoundTime = 30 * time.Second

// round asks the trail about several incidents at once.
func (w *worker) round(ctx context.Context, batch []task) {
	w.each(ctx, batch, func(t task) {
		if len(t.rec.Rounds) > 0 && t.rec.MetricDue() {
			w.readMetric(ctx, t.rec)
		}
	})
	var cases []investigation.Case
	wait := lastRoundTime
	for _, t := range batch {
		cases = append(cases, investigation.Case{ID: t.rec.ID, Alarm: t.rec.Alarm, Engine: t.rec.Evidence.Engine, UsageDue: t.rec.HistoryDue(), CallersDue: t.rec.CallersDue(), HistoryOf: t.rec.HistoryOf,
			Aims: judgement.Aims(*t.rec)})
		wait = max(wait, t.rec.Deadline.Sub(w.Clock.Now())+lastRoundTime)
	}
	asked, cancel := context.WithTimeout(ctx, min(roundTime, wait))
	defer cancel()
	found := w.ask.Round(asked, cases)
	for _, t := range batch {
		func() {
			defer w.survive(ctx, t.rec.ID)
			before := t.rec.Basis()
			answered := t.rec.Took(w.Clock.Now(), found[t.rec.ID])
			if answered {
				t.rec.Enough = judgement.Enough(w.policyFor(ctx, t.rec), *t.rec)
			}
			w.logRound(ctx, *t.rec)
			// What brought nothing new is put with what comes next. A verdict comes at once, and puts both.
			news := !answered || found[t.rec.ID].Usage.Asked || t.rec.Basis() != before
			if news && t.rec.Next(w.Clock.Now()).Do != incident.Judge {
				w.put(ctx, t.rec)
			}
		}()
	}
}

// logRound logs what the trail did not answer in a record's last query round.
func (w *worker) logRound(ctx context.Context, rec incident.Record) {
	last := rec.Rounds[len(rec.Rounds)-1]
	for question, why := range map[string]string{"bytes": last.Error, "usage": last.HistoryError, "callers": last.CallersError, "bystanders": last.BystandersError} {
		if why != "" {
			w.Log.ErrorContext(ctx, "the trail did not answer", "incident", rec.ID, "question", question, "err", why)
		}
	}
}
