package investigation

import (
	"context"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// maxHops is how many sessions are followed, each minted by the one before.
const maxHops = 5

// Behind asks the trail who stands behind an actor: who was given the session's credential, and whose that was, or who has ordered or opened
// the reading of buckets. Beside an error are the sources that were found, and in any case what the questions cost.
func (i *Investigation) Behind(ctx context.Context, a evidence.Actor, buckets []string) ([]containment.Source, []evidence.Answer, error) {
	switch containment.AsksOf(a) {
	case containment.WhoMinted:
		now := i.clock.Now()
		from := now.Add(-evidence.SessionLife)
		if !a.FirstSeen.IsZero() {
			from = a.FirstSeen.Add(-evidence.SessionLife)
		}
		return i.minted(ctx, a.AccessKeyID, from, now)
	case containment.WhoOrdered, containment.WhoOpenedIt:
		return i.ordered(ctx, a, buckets)
	}
	return nil, nil, nil
}

// minted follows a session back to the key, the service or the sign-in that it began with, as far as the trail shows.
func (i *Investigation) minted(ctx context.Context, key string, from, to time.Time) (found []containment.Source, cost []evidence.Answer, err error) {
	for range maxHops {
		if !strings.HasPrefix(key, "ASIA") {
			break
		}
		answer, err := i.ask(ctx, evidence.Minter{AccessKeyID: key, From: from, To: to})
		cost = append(cost, answer)
		if err != nil {
			return found, cost, err
		}
		m, err := evidence.ReadMinter(answer.Rows)
		if m == nil || err != nil {
			return found, cost, err
		}
		found = append(found, containment.SourceOf(m.Call, m.At, "", nil, actor.Of(m.By, i.ours)))
		key, from, to = m.By.AccessKeyID, m.At.Add(-evidence.SessionLife), m.At.Add(time.Second)
	}
	return found, cost, nil
}

// ordered finds who has had an actor read the buckets, and what minted the session of the last who did.
func (i *Investigation) ordered(ctx context.Context, a evidence.Actor, buckets []string) (found []containment.Source, cost []evidence.Answer, err error) {
	now := i.clock.Now()
	q := evidence.Ordered{Buckets: buckets, Calls: containment.Orders(a), From: now.Add(-evidence.HistorySpan), To: now}
	if !a.LastSeen.IsZero() {
		q.To = a.LastSeen.Add(time.Second)
	}
	answer, err := i.ask(ctx, q)
	cost = append(cost, answer)
	if err != nil {
		return nil, cost, err
	}
	orders, err := evidence.ReadOrdered(answer.Rows, buckets)
	if err != nil {
		return nil, cost, err
	}
	for _, o := range orders {
		found = append(found, containment.SourceOf(o.Call, o.At, o.From, o.To, actor.Of(o.By, i.ours)))
	}
	if len(orders) > 0 {
		last := orders[0]
		minted, more, err := i.minted(ctx, last.By.AccessKeyID, last.At.Add(-evidence.SessionLife), last.At.Add(time.Second))
		return append(found, minted...), append(cost, more...), err
	}
	return found, cost, nil
}
