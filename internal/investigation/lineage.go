package investigation

import (
	"context"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// maxHops is how many sessions are followed, each minted by the one before, and how many questions a lineage costs at most.
const maxHops = 5

// Lineage asks the trail where actors' credentials come from and what was made with them: one question a round for all of them, maxHops rounds at
// most. Beside an error is what was found by then, and in any case what the questions cost.
func (i *Investigation) Lineage(ctx context.Context, actors []evidence.Actor) (*evidence.Search, []evidence.Answer, error) {
	search := evidence.NewSearch(actors, i.ours, i.clock.Now())
	var cost []evidence.Answer
	for range maxHops {
		q, due := search.Next()
		if !due {
			break
		}
		answer, err := i.ask(ctx, q)
		cost = append(cost, answer)
		if err != nil {
			return search, cost, err
		}
		found, more, err := evidence.ReadLineage(answer.Rows)
		if err != nil {
			return search, cost, err
		}
		search.Add(found, more)
	}
	return search, cost, nil
}

// Minted are those who stand behind a session by what a search has found: who was given it, who was given his, and so on, the last one first.
func (i *Investigation) Minted(search *evidence.Search, key string) (sources []containment.Source) {
	for _, m := range search.Chain(key, maxHops) {
		sources = append(sources, containment.SourceOf(m.Call, m.At, "", nil, actor.Of(m.By, i.ours)))
	}
	return sources
}

// Minter says who was given a credential in a span of time; nil where the trail does not show it.
func (i *Investigation) Minter(ctx context.Context, key string, from, to time.Time) (*evidence.Making, error) {
	answer, err := i.ask(ctx, evidence.Lineage{Given: []string{key}, From: from, To: to})
	if err != nil {
		return nil, err
	}
	found, _, err := evidence.ReadLineage(answer.Rows)
	return evidence.Minter(found, key), err
}
