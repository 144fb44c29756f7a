package investigation

import (
	"context"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// Ordered asks the trail who has had an actor read buckets, or has opened them to it, and with which credential the last did so; nil where the
// trail shows nobody. The answer has what it cost, also beside an error.
func (i *Investigation) Ordered(ctx context.Context, a evidence.Actor, buckets []string) (found []containment.Source, last *evidence.Actor, cost evidence.Answer, err error) {
	now := i.clock.Now()
	q := evidence.Ordered{Buckets: buckets, Calls: containment.Orders(a), From: now.Add(-evidence.HistorySpan), To: now}
	if !a.LastSeen.IsZero() {
		q.To = a.LastSeen.Add(time.Second)
	}
	if cost, err = i.ask(ctx, q); err != nil {
		return nil, nil, cost, err
	}
	orders, err := evidence.ReadOrdered(cost.Rows, buckets)
	for n, o := range orders {
		s := containment.SourceOf(o.Call, o.At, o.From, o.To, actor.Of(o.By, i.ours))
		if found = append(found, s); n == 0 {
			who := s.Actor()
			who.FirstSeen, last = o.At, &who
		}
	}
	return found, last, cost, err
}
