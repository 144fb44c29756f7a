package responder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// lookAll asks the trail about several incidents: one bytes question for all of them, and what is usual, until it was answered for
// an incident's window. Both at once: CloudTrail's lag hides the cost of the second.
func (d *desk) lookAll(ctx context.Context, batch []task) {
	d.each(ctx, batch, func(t task) {
		if len(t.rec.Looks) > 0 && t.rec.MetricDue() {
			d.readMetric(ctx, t.rec)
		}
	})
	var recs, strange []*incident.Record
	wait := lastLookTime
	for _, t := range batch {
		recs = append(recs, t.rec)
		if t.rec.HistoryDue() {
			strange = append(strange, t.rec)
		}
		wait = max(wait, t.rec.Deadline.Sub(d.Clock.Now())+lastLookTime)
	}
	asked, cancel := context.WithTimeout(ctx, min(lookTime, wait))
	defer cancel()
	answers := make([]map[string]answered, 2) // at once: CloudTrail's lag hides the cost of the second
	d.atOnce(d.Workers, 2, func(i int) {
		if i == 0 {
			answers[i] = d.askBytes(asked, recs)
		} else {
			answers[i] = d.askUsage(asked, d.ask, strange)
		}
	})
	if stale := stale(recs, strange, answers[0]); len(stale) > 0 {
		maps.Copy(answers[1], d.askUsage(asked, d.Second.Ask, stale))
	}
	for _, rec := range recs {
		func() {
			defer d.survive(ctx, rec.ID)
			d.looked(ctx, rec, answers[0][rec.ID], answers[1][rec.ID])
			if rec.Next(d.Clock.Now()).Do != incident.Judge { // the verdict comes at once, and puts both
				d.put(ctx, rec)
			}
		}()
	}
}

// looked takes in what the trail has answered.
func (r *Responder) looked(ctx context.Context, rec *incident.Record, bytes, usage answered) {
	look := incident.Look{At: r.Clock.Now(), From: rec.Alarm.From, To: rec.Alarm.To}
	if usage.asked {
		look.HistoryError = r.readHistory(ctx, rec, usage)
	}
	e := r.readBytes(ctx, rec, bytes, &look)
	e.Cost = rec.Evidence.Cost
	e.Cost.Add(bytes.Answer)
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
	tally evidence.Tally
	err   error
	asked bool
	// behind: the first engine answered too, and shows less.
	behind bool
}

// asking asks one question.
type asking func(context.Context, evidence.Question) (evidence.Answer, error)

// askWindows asks who moved the bytes of several incidents, with as few questions as there can be.
func (r *Responder) askWindows(ctx context.Context, ask asking, recs []*incident.Record) map[string]answered {
	var windows []evidence.Window
	for _, rec := range recs {
		a := rec.Alarm
		windows = append(windows, evidence.Window{ID: rec.ID, Buckets: a.Buckets, From: a.From, To: a.To})
	}
	questions := evidence.Bytes{Windows: windows, Margin: alarm.Margin}.Batches()
	got := make([]map[string]answered, len(questions))
	r.atOnce(min(r.Workers, querySlots), len(questions), func(i int) { got[i] = r.askOne(ctx, ask, questions[i]) })
	all := map[string]answered{}
	for _, answers := range got {
		maps.Copy(all, answers)
	}
	return all
}

// askOne asks one bytes question. Where it fails for a reason that may lie in one of its windows, its halves are asked: a thief with
// thousands of networks at one bucket must not spoil the answer about another.
func (r *Responder) askOne(ctx context.Context, ask asking, q evidence.Bytes) map[string]answered {
	answer, err := ask(ctx, q)
	var tallies map[string]evidence.Tally
	if err == nil {
		tallies, err = evidence.ReadBytes(answer.Rows, q, r.Ours)
	}
	n := len(q.Windows)
	if err != nil && n > 1 && ctx.Err() == nil && !errors.Is(err, evidence.ErrBusy) && !errors.Is(err, evidence.ErrBudget) {
		halves := r.askOne(ctx, ask, evidence.Bytes{Windows: q.Windows[:n/2], Margin: q.Margin})
		maps.Copy(halves, r.askOne(ctx, ask, evidence.Bytes{Windows: q.Windows[n/2:], Margin: q.Margin}))
		return halves
	}
	answer.Scanned /= int64(n) // each bears its part, and has waited as long as all
	all := map[string]answered{}
	for _, w := range q.Windows {
		all[w.ID] = answered{Answer: answer, tally: tallies[w.ID], err: err, asked: true}
	}
	return all
}

// querySlots is how many of Lake's ten query slots one kind of question takes, in a storm of alarms: others ask too.
const querySlots = 3

const (
	// usageSpread is how far apart the windows may begin of incidents that share a question for what is usual, and usageBuckets how many
	// buckets it may name: a statement in Lake ends at 10,000 characters.
	usageSpread  = time.Hour
	usageBuckets = 40
)

// askUsage asks what is usual for the principals that read the incidents' buckets.
func (r *Responder) askUsage(ctx context.Context, ask asking, recs []*incident.Record) map[string]answered {
	recs = slices.SortedStableFunc(slices.Values(recs), func(x, y *incident.Record) int { return x.Alarm.From.Compare(y.Alarm.From) })
	var groups [][]*incident.Record
	var questions []evidence.Usage
	for len(recs) > 0 {
		before, buckets, n := recs[0].Alarm.From, []string{}, 0
		for _, rec := range recs {
			union := slices.Compact(slices.Sorted(slices.Values(slices.Concat(buckets, rec.Alarm.Buckets))))
			if n > 0 && (rec.Alarm.From.Sub(before) > usageSpread || len(union) > usageBuckets) {
				break
			}
			buckets, n = union, n+1
		}
		groups, questions, recs = append(groups, recs[:n]), append(questions, evidence.Usage{Buckets: buckets, Before: before}), recs[n:]
	}
	got := make([]answered, len(questions))
	r.atOnce(min(r.Workers, querySlots), len(questions), func(i int) {
		answer, err := ask(ctx, questions[i])
		answer.Scanned /= int64(len(groups[i])) // each bears its part
		got[i] = answered{Answer: answer, err: err, asked: true}
	})
	all := map[string]answered{}
	for i, group := range groups {
		for _, rec := range group {
			all[rec.ID] = got[i]
		}
	}
	return all
}

// readHistory takes in what is usual, or returns why that is not known.
func (r *Responder) readHistory(ctx context.Context, rec *incident.Record, usage answered) string {
	rec.Evidence.Cost.Add(usage.Answer)
	err := usage.err
	if rec.History = nil; err == nil {
		rec.History, err = evidence.ReadUsage(usage.Rows, rec.Alarm.From)
	}
	switch {
	case err == nil:
	case errors.Is(err, evidence.ErrBudget): // of two engines, of either
		rec.HistoryAsked = incident.MaxHistory // it would only be spent again
	case errors.Is(err, evidence.ErrBusy): // somebody may keep the slots full, so that we give up
	default:
		rec.HistoryAsked++
	}
	return r.failed(ctx, rec, "usage", err)
}

// readBytes reconciles what a look has found. Where it failed, the evidence stays what it was, and the look says why.
func (r *Responder) readBytes(ctx context.Context, rec *incident.Record, bytes answered, look *incident.Look) evidence.Evidence {
	if look.Error = r.failed(ctx, rec, "bytes", bytes.err); bytes.err != nil {
		return rec.Evidence
	}
	look.Digest, look.Bytes = bytes.tally.Digest, bytes.tally.Bytes
	if rec.History == nil && rec.Evidence.HistoryDays != nil && rec.Digest() == look.Digest &&
		rec.Evidence.From.Equal(look.From) && rec.Evidence.To.Equal(look.To) {
		return rec.Evidence // the same answer, and what is usual was known when it came first
	}
	e := evidence.Reconcile(rec.Alarm, bytes.tally, rec.History)
	if bytes.Instead != "" && rec.Evidence.Engine != bytes.Engine {
		rec.Note(look.At, report.Safe(bytes.Engine+" was asked: "+bytes.Instead))
	}
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
	answer, err := r.ask(ctx, q)
	rec.Evidence.Cost.Add(answer)
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
