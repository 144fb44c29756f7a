package responder

import (
	"context"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/report"
)

// behindAfter is how long after a window its bytes should be in the trail: both engines are some minutes behind S3, and Lake mostly longer
// than the files are. https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
const behindAfter = 10 * time.Minute

// ask asks the trail. Where it fails, or has no room until half of the time is over, the second is asked, if there is one; the answer
// then says why.
func (r *Responder) ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	if r.Second == nil {
		return r.Trail.Ask(ctx, q)
	}
	half, cancel := ctx, context.CancelFunc(func() {})
	if until, ok := ctx.Deadline(); ok {
		half, cancel = context.WithTimeout(ctx, time.Until(until)/2)
	}
	answer, err := r.Trail.Ask(half, q)
	cancel()
	if err == nil || ctx.Err() != nil {
		return answer, err
	}
	second, failed := r.Second.Ask(ctx, q)
	if failed != nil {
		return evidence.Answer{}, fmt.Errorf("%w; and the second engine: %w", err, failed)
	}
	second.Instead = "the first engine did not answer: " + err.Error()
	return second, nil
}

// behind are the incidents for which the trail shows too little of what the metric counted, though it should be there by now.
func (r *Responder) behind(recs []*incident.Record, answers map[string]answered) []*incident.Record {
	var late []*incident.Record
	for _, rec := range recs {
		a, got := rec.Alarm, answers[rec.ID]
		if got.err == nil && got.Instead == "" && a.Confirmed && a.Bytes != nil && r.Clock.Now().Sub(a.To) >= behindAfter &&
			float64(got.tally.Bytes) < evidence.ExplainedEnough*float64(*a.Bytes) {
			late = append(late, rec)
		}
	}
	return late
}

// askBytes asks who moved the bytes of several incidents. Where the trail stays behind, the second is asked too, and what shows more of
// the bytes is the answer: the two are never mixed.
func (r *Responder) askBytes(ctx context.Context, recs []*incident.Record) map[string]answered {
	all := r.askWindows(ctx, r.ask, recs)
	if r.Second == nil {
		return all
	}
	late := r.behind(recs, all)
	if len(late) == 0 || ctx.Err() != nil {
		return all
	}
	for id, second := range r.askWindows(ctx, r.Second.Ask, late) {
		first := all[id]
		scanned, queued, ran := first.Scanned+second.Scanned, first.Queued+second.Queued, first.Ran+second.Ran
		switch {
		case second.err != nil:
			r.Log.WarnContext(ctx, "the second engine did not answer", "incident", id, "err", second.err)
		case second.tally.Bytes > first.tally.Bytes:
			second.behind = true
			second.Instead = first.Engine + " shows only " + report.Bytes(first.tally.Bytes) + " so far"
			first = second
		}
		first.Scanned, first.Queued, first.Ran = scanned, queued, ran
		all[id] = first
	}
	return all
}

// stale are the incidents whose bytes the second engine showed because the first is behind: what that one knows of what is usual may be as
// old, and would make everybody unfamiliar. strange are those that ask for what is usual anyway.
func stale(recs, strange []*incident.Record, bytes map[string]answered) []*incident.Record {
	return slices.DeleteFunc(slices.Clone(recs), func(rec *incident.Record) bool {
		got := bytes[rec.ID]
		return !got.behind || rec.Evidence.Engine == got.Engine && !slices.Contains(strange, rec)
	})
}
