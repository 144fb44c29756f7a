package responder

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

func opening(a alarm.Alarm) string {
	if a.Source == alarm.Manual {
		return "a manual event asks about " + report.List(a.Buckets)
	}
	return "alarm " + report.Safe(a.Name) + " rang for " + report.List(a.Buckets)
}

// readMetric reads the metric again: the alarm is a claim.
func (r *Responder) readMetric(ctx context.Context, rec *incident.Record) {
	rec.MetricRead++
	reading, err := r.Meter.Read(ctx, rec.Alarm)
	now := r.Clock.Now()
	if err != nil {
		rec.MetricError = err.Error()
		rec.Alarm.Confirmed, rec.Alarm.Doubt = false, "the metric could not be read"
		r.Log.ErrorContext(ctx, "reading the metric failed", "incident", rec.ID, "err", err)
		rec.Note(now, "the metric could not be read: "+report.Safe(err.Error()))
		return
	}
	rec.MetricError = ""
	before := rec.Alarm
	rec.Alarm = rec.Alarm.Read(reading)
	if before.Confirmed == rec.Alarm.Confirmed && before.Doubt == rec.Alarm.Doubt {
		return
	}
	if rec.Alarm.Confirmed {
		rec.Note(now, "CloudWatch confirms "+report.Bytes(*rec.Alarm.Bytes)+" in "+report.Window(rec.Alarm.From, rec.Alarm.To))
	} else {
		rec.Note(now, "the alarm is not confirmed: "+report.Safe(rec.Alarm.Doubt))
	}
}

// lookTime is the most that one look may take. An engine waits for a free query slot as long as it may, and an attacker can keep the
// slots full: the team must be told in time all the same.
const lookTime = 2 * time.Minute

// lastLookTime is what a look at the deadline has left.
const lastLookTime = 30 * time.Second

// look asks the trail both questions at once; the second one only until it was answered for this window.
func (r *Responder) look(ctx context.Context, rec *incident.Record) {
	left := rec.Deadline.Sub(r.Clock.Now()) + lastLookTime
	ctx, cancel := context.WithTimeout(ctx, min(lookTime, max(left, lastLookTime)))
	defer cancel()
	if len(rec.Looks) > 0 && rec.MetricDue() {
		r.readMetric(ctx, rec)
	}
	a := rec.Alarm
	look := incident.Look{At: r.Clock.Now(), From: a.From, To: a.To}
	var bytes, usage answered
	var both sync.WaitGroup
	both.Go(func() {
		bytes = r.ask(ctx, evidence.Bytes{Buckets: a.Buckets, From: a.From, To: a.To, Margin: alarm.Margin})
	})
	if rec.HistoryDue() {
		both.Go(func() { usage = r.ask(ctx, evidence.Usage{Buckets: a.Buckets, Before: a.From}) })
	}
	both.Wait()
	if usage.asked {
		look.HistoryError = r.readHistory(ctx, rec, usage)
	}
	e := r.readBytes(ctx, rec, bytes, &look)
	e.Queries, e.BytesScanned = rec.Evidence.Queries+1, rec.Evidence.BytesScanned+bytes.Scanned
	rec.Looks = append(rec.Looks, look)
	e.Complete = rec.Complete()
	rec.Evidence = e
	if look.Error == "" {
		rec.Enough = r.enough(*rec)
		rec.Note(look.At, seen(e))
	}
}

// answered is what came back for a question, if it was asked.
type answered struct {
	evidence.Answer
	err   error
	asked bool
}

func (r *Responder) ask(ctx context.Context, q evidence.Question) answered {
	answer, err := r.Trail.Ask(ctx, q)
	return answered{answer, err, true}
}

// readHistory takes in what is usual, or returns why that is not known.
func (r *Responder) readHistory(ctx context.Context, rec *incident.Record, usage answered) string {
	rec.Evidence.Queries++
	rec.Evidence.BytesScanned += usage.Scanned
	err := usage.err
	if rec.History = nil; err == nil {
		rec.History, err = evidence.ReadUsage(usage.Rows, rec.Alarm.From)
	}
	switch {
	case errors.Is(err, evidence.ErrBusy): // somebody may keep the slots full, so that we give up
	case errors.Is(err, evidence.ErrBudget):
		rec.HistoryAsked = incident.MaxHistory // it would only be spent again
	default:
		rec.HistoryAsked++
	}
	return r.failed(ctx, rec, "usage", err)
}

// readBytes reconciles what a look has found. Where it failed, the evidence stays what it was, and the look says why.
func (r *Responder) readBytes(ctx context.Context, rec *incident.Record, bytes answered, look *incident.Look) evidence.Evidence {
	err := bytes.err
	var tally evidence.Tally
	if err == nil {
		tally, err = evidence.ReadBytes(bytes.Rows, r.Ours)
	}
	if look.Error = r.failed(ctx, rec, "bytes", err); err != nil {
		return rec.Evidence
	}
	look.Digest, look.Bytes = tally.Digest, tally.Bytes
	e := evidence.Reconcile(rec.Alarm, tally, rec.History)
	e.Engine = bytes.Engine
	e.Lost = append(e.Lost, bytes.Lost...)
	return e
}

// failed logs why a question was not answered, and returns it for the record.
func (r *Responder) failed(ctx context.Context, rec *incident.Record, question string, err error) string {
	if err == nil {
		return ""
	}
	r.Log.ErrorContext(ctx, "the trail did not answer", "incident", rec.ID, "question", question, "err", err)
	what := "CloudTrail did not answer the question for " + question + ": " + err.Error()
	if errors.Is(err, evidence.ErrBusy) {
		what += " (all query slots were taken; somebody may be filling them)"
	}
	rec.Note(r.Clock.Now(), report.Safe(what))
	return report.Safe(err.Error())
}

// seen is a look in one line of the log.
func seen(e evidence.Evidence) string {
	line := "CloudTrail shows " + report.Bytes(e.Bytes) + " by " + report.Plural(int64(len(e.Actors))+e.Others.Actors, "actor")
	if e.Explained != nil {
		line += fmt.Sprintf(", %.1f %% of the alarmed bytes", *e.Explained*100)
	}
	switch {
	case e.Complete && e.Explains():
		line += "; complete"
	case e.Complete:
		line += "; nothing new since the look before"
	}
	return line
}

// tell sends the incident's message to one channel.
func (r *Responder) tell(ctx context.Context, rec *incident.Record, i int) {
	n := &rec.Notified[i]
	message := report.Text(*rec)
	n.At, n.Subject = r.Clock.Now(), message.Subject
	n.Tries++
	n.Error = ""
	for _, c := range r.Channels {
		if c.Name() != n.Channel {
			continue
		}
		if err := c.Send(ctx, message); err != nil {
			n.Error = report.Safe(err.Error())
			r.Log.ErrorContext(ctx, "telling the team failed", "incident", rec.ID, "channel", n.Channel, "err", err)
			rec.Note(n.At, "telling "+report.Safe(n.Channel)+" failed: "+n.Error)
			return
		}
		rec.Note(n.At, "told "+report.Safe(n.Channel))
		return
	}
	n.Error = "this channel is not configured any more"
}

// enrichTime is for what the report would like to say: the team must not wait long for it.
const enrichTime = 20 * time.Second

// enrich finds who put the tags there that protect targets: one question an owner, all of them in enrichTime.
func (r *Responder) enrich(ctx context.Context, rec *incident.Record) {
	rec.Enriched = true
	ctx, cancel := context.WithTimeout(ctx, enrichTime)
	defer cancel()
	known := map[string]string{}
	for i, v := range rec.Verdicts {
		target := rec.Outcomes[i].Step.Target
		if v.Protected == "" || target.ProtectTag == "" {
			continue
		}
		if _, asked := known[target.OwnerARN]; !asked {
			known[target.OwnerARN] = r.tagger(ctx, rec, target)
		}
		rec.Verdicts[i].TaggedBy = known[target.OwnerARN]
	}
}

// tagger says who tagged a protected target, as far as the trail shows.
func (r *Responder) tagger(ctx context.Context, rec *incident.Record, target policy.Target) string {
	now := r.Clock.Now()
	q := evidence.Tagged{User: target.Owner, Tag: target.ProtectTag, From: now.Add(-evidence.HistorySpan), To: now}
	if target.Type == policy.Role {
		q.User, q.Role = "", target.Owner
	}
	answer, err := r.Trail.Ask(ctx, q)
	rec.Evidence.Queries++
	rec.Evidence.BytesScanned += answer.Scanned
	var tagger *evidence.Tagger
	if err == nil {
		tagger, err = evidence.ReadTagged(answer.Rows)
	}
	switch {
	case err != nil:
		return "not known: " + r.failed(ctx, rec, q.Name(), err)
	case tagger == nil:
		return "nobody that this trail shows in the last 14 days (IAM's calls are recorded in us-east-1)"
	}
	return report.Safe(fmt.Sprintf("%s with key %s from %s at %s (%s)", tagger.ARN, tagger.AccessKeyID, tagger.From,
		tagger.At.Format("2006-01-02 15:04:05"), tagger.Call))
}
