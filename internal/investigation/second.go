package investigation

import (
	"context"
	"fmt"
	"time"

	"nightlatch/internal/evidence"
	"nightlatch/internal/prose"
)

// behindAfter is how long after a window its bytes should be in the trail: both engines are some minutes behind S3, and Lake mostly longer
// than the files are.
const behindAfter = 10 * time.Minute

// ask asks the trail. Where it fails, or has no room until half of the time is over, the second is asked, if there is one. The answer then
// says why.
func (i *Investigation) ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	if i.second == nil {
		return i.first.Ask(ctx, q)
	}
	half, cancel := ctx, context.CancelFunc(func() {})
	if until, ok := ctx.Deadline(); ok {
		half, cancel = context.WithTimeout(ctx, time.Until(until)/2)
	}
	answer, err := i.first.Ask(half, q)
	cancel()
	if err == nil || ctx.Err() != nil {
		return answer, err
	}
	second, failed := i.second.Ask(ctx, q)
	if failed != nil {
		return evidence.Answer{}, fmt.Errorf("%w; and the second engine: %w", err, failed)
	}
	second.Instead = "the first engine did not answer: " + err.Error()
	return second, nil
}

// behind are the cases for which the trail shows too little of what the metric counted, though it should be there by now.
func (i *Investigation) behind(cases []Case, answers map[string]evidence.Answered) []Case {
	var late []Case
	for _, c := range cases {
		a, got := c.Alarm, answers[c.ID]
		if got.Err == nil && got.Instead == "" && a.Confirmed && a.Bytes != nil && i.clock.Now().Sub(a.To) >= behindAfter &&
			float64(got.Tally.Bytes) < evidence.ExplainedEnough*float64(*a.Bytes) {
			late = append(late, c)
		}
	}
	return late
}

// askBytes asks who moved the bytes of several cases. Where the trail stays behind, the second is asked too. The one that shows more of the
// bytes is the answer: the two are never mixed.
func (i *Investigation) askBytes(ctx context.Context, cases []Case) map[string]evidence.Answered {
	all := i.askWindows(ctx, i.ask, cases)
	if i.second == nil {
		return all
	}
	late := i.behind(cases, all)
	if len(late) == 0 || ctx.Err() != nil {
		return all
	}
	for id, second := range i.askWindows(ctx, i.second.Ask, late) {
		first := all[id]
		scanned, queued, ran := first.Scanned+second.Scanned, first.Queued+second.Queued, first.Ran+second.Ran
		switch {
		case second.Err != nil:
			i.log.WarnContext(ctx, "the second engine did not answer", "incident", id, "err", second.Err)
		case second.Tally.Bytes > first.Tally.Bytes:
			second.Behind = true
			second.Instead = first.Engine + " shows only " + prose.Bytes(first.Tally.Bytes) + " so far"
			first = second
		}
		first.Scanned, first.Queued, first.Ran = scanned, queued, ran
		all[id] = first
	}
	return all
}

// stale are the cases whose bytes the second engine showed because the first is behind. What the first knows of the usual may be as old, and
// would make everybody unfamiliar.
func stale(cases []Case, bytes map[string]evidence.Answered) []Case {
	var all []Case
	for _, c := range cases {
		if got := bytes[c.ID]; got.Behind && (c.Engine != got.Engine || c.UsageDue) {
			all = append(all, c)
		}
	}
	return all
}
