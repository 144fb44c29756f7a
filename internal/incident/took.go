package incident

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/prose"
)

// TookReading takes in what the metric shows, or why it could not be read: the alarm is a claim.
func (r *Record) TookReading(at time.Time, reading alarm.Reading, err error) {
	r.MetricRead++
	if err != nil {
		r.MetricError = err.Error()
		if !r.Alarm.Confirmed {
			r.Alarm.Doubt = "the metric could not be read"
		}
		r.Note(at, "the metric could not be read: "+prose.Safe(err.Error()))
		return
	}
	r.MetricError = ""
	before := r.Alarm
	r.Alarm = r.Alarm.Read(reading)
	if before.Confirmed && !r.Alarm.Confirmed { // what was confirmed once did happen, whatever became of the alarm since
		r.Note(at, "the metric, read again, does not confirm the alarm as it did: "+prose.Safe(r.Alarm.Doubt))
		r.Alarm = before
		return
	}
	if r.MetricSame++; before.Bytes == nil || r.Alarm.Bytes == nil || *before.Bytes != *r.Alarm.Bytes || !before.From.Equal(r.Alarm.From) || !before.To.Equal(r.Alarm.To) {
		r.MetricSame = 1
	}
	r.MetricAt = at
	if before.Confirmed == r.Alarm.Confirmed && before.Doubt == r.Alarm.Doubt {
		return
	}
	if r.Alarm.Confirmed {
		r.Note(at, cmp.Or(r.Alarm.Given, "CloudWatch confirms")+" "+prose.Bytes(*r.Alarm.Bytes)+" in "+prose.Window(r.Alarm.From, r.Alarm.To))
	} else if r.Alarm.Computed != "" && r.Alarm.Doubt == r.Alarm.Computed+alarm.NoBytes {
		r.Note(at, "the alarm claims no number of bytes")
	} else {
		r.Note(at, "the alarm is not confirmed: "+prose.Safe(r.Alarm.Doubt))
	}
}

// Took takes in what a query round has found. It reports whether the trail has answered who moved the bytes.
func (r *Record) Took(at time.Time, round evidence.Round) (answered bool) {
	query, before := QueryRound{At: at, From: r.Alarm.From, To: r.Alarm.To}, r.Basis()
	if round.Usage.Asked {
		used := r.used()
		query.HistoryError = r.tookUsage(at, round.Usage)
		if round.Callers.Asked {
			used, query.CallersError = r.tookCallers(at, round.Callers)
		}
		if r.History != nil {
			r.History.Used = used
		}
	}
	if b := round.Bystanders; b.Asked {
		query.BystandersError = r.TookBystanders(at, b.Hits, b.Answer, b.Err)
	}
	e := r.tookBytes(round.Bytes, &query)
	if round.Usage.Asked {
		r.HistoryPast = nil
		if r.History != nil {
			r.HistoryPast = query.Past
		}
	}
	e.Cost = r.Evidence.Cost
	e.Cost.Add(round.Bytes.Answer)
	r.Rounds = append(r.Rounds, query)
	e.Complete = r.Complete() && len(e.Lost) == 0
	r.Evidence = e
	if query.Error != "" {
		return false
	}
	if len(r.Rounds) == 1 || r.Basis() != before { // that nothing came is no news
		r.Note(at, seen(e))
	}
	return true
}

// tookUsage takes in what is usual, or returns why that is not known.
func (r *Record) tookUsage(at time.Time, usage evidence.Answered) string {
	r.Evidence.Cost.Add(usage.Answer)
	again, err := r.History != nil, usage.Err
	if r.History = nil; err == nil {
		if r.History, err = evidence.ReadUsage(usage.Rows, r.Edge()); err == nil {
			r.History.Seal, r.History.Lost, r.HistoryOf = usage.Seal, usage.Lost, usage.Of
		}
	}
	switch {
	case err == nil && again: // the past had grown
		r.HistoryAsked++
	case err == nil:
	case errors.Is(err, evidence.ErrBudget): // of two engines, of either
		r.HistoryAsked = MaxHistory // it would only be spent again
	case errors.Is(err, evidence.ErrBusy): // somebody may keep the slots full, so that we give up
	default:
		r.HistoryAsked++
	}
	return r.Unanswered(at, "usage", err)
}

// used is what is known of who works with the credentials; nil where that is nothing.
func (r *Record) used() *evidence.Uses {
	if r.History == nil {
		return nil
	}
	return r.History.Used
}

// tookCallers takes in who else works with the credentials, or returns why that is not known. No verdict waits for it.
func (r *Record) tookCallers(at time.Time, callers evidence.Answered) (used *evidence.Uses, why string) {
	r.Evidence.Cost.Add(callers.Answer)
	err := callers.Err
	if err == nil {
		used, err = evidence.ReadCallers(callers.Rows, evidence.Callers{})
	}
	return used, r.Unanswered(at, "callers", err)
}

// TookBystanders takes in whom steps would hit beside the thief, or returns why that is not known.
func (r *Record) TookBystanders(at time.Time, hits []evidence.Hit, cost evidence.Answer, err error) string {
	r.Evidence.Cost.Add(cost)
	if r.BystandersAsked++; errors.Is(err, evidence.ErrBudget) {
		r.BystandersAsked = MaxHistory // it would only be spent again
	}
	r.Bystanders = append(slices.Clip(r.Bystanders), hits...)
	return r.Unanswered(at, evidence.Bystanders{}.Name(), err)
}

// tookBytes reconciles who moved the bytes. Where that is not answered, the evidence stays what it was, and the query round says why.
func (r *Record) tookBytes(bytes evidence.Answered, query *QueryRound) evidence.Evidence {
	if query.Error = r.Unanswered(query.At, "bytes", bytes.Err); bytes.Err != nil {
		return r.Evidence
	}
	query.Digest, query.Bytes, query.Past = bytes.Tally.Digest, bytes.Tally.Bytes, new(bytes.Tally.Past)
	if r.History == nil && r.Evidence.HistoryDays != nil && r.Digest() == query.Digest &&
		r.Evidence.From.Equal(query.From) && r.Evidence.To.Equal(query.To) {
		e := r.Evidence // the same answer, and what is usual was known when it came first
		e.Seal = e.Seal.And(bytes.Seal)
		return e
	}
	e := evidence.Reconcile(r.Alarm, bytes.Tally, r.History)
	e.KeepUses(r.Evidence)
	if bytes.Instead != "" && r.Evidence.Engine != bytes.Engine {
		r.Note(query.At, prose.Safe(bytes.Engine+" was asked: "+bytes.Instead))
	}
	e.Engine, e.Seal = bytes.Engine, bytes.Seal
	if r.History != nil {
		e.Seal = e.Seal.And(r.History.Seal)
		for _, lost := range r.History.Lost {
			if !slices.Contains(bytes.Lost, lost) {
				e.Lost = append(e.Lost, lost)
			}
		}
	}
	e.Lost = append(e.Lost, bytes.Lost...)
	return e
}

// Unanswered notes why a question was not answered, and returns it as it is printed; "" where it was.
func (r *Record) Unanswered(at time.Time, question string, err error) string {
	if err == nil {
		return ""
	}
	what := "CloudTrail did not answer the question for " + question + ": " + err.Error()
	if errors.Is(err, evidence.ErrBusy) {
		what += " (all query slots were taken; somebody may be filling them)"
	}
	r.Note(at, prose.Safe(what))
	return prose.Safe(err.Error())
}

// seen is a query round in one line of the log.
func seen(e evidence.Evidence) string {
	line := "CloudTrail shows " + prose.Bytes(e.Bytes) + " by " + prose.Plural(int64(len(e.Actors))+e.Others.Actors, "actor")
	if e.Explained != nil {
		line += fmt.Sprintf(", %.1f %% of the alarmed bytes", *e.Explained*100)
	}
	switch {
	case e.Complete && e.Explains():
		line += "; complete"
	case e.Complete:
		line += "; nothing new since the query round before"
	}
	return line
}
