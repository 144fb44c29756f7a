package investigation

import (
	"context"
	"maps"
	"slices"

	"nightlatch/internal/evidence"
)

// Bystanders says whom steps would hit beside the thief. The answer has what it cost, also beside an error.
func (i *Investigation) Bystanders(ctx context.Context, q evidence.Bystanders) ([]evidence.Hit, evidence.Answer, error) {
	all, answer, err := i.hits(ctx, fitting(q))
	return known(all), answer, err
}

// fitting is the question about as much of it as fits every engine.
func fitting(q evidence.Bystanders) evidence.Bystanders {
	for !q.Fits() && len(q.Of) > 0 {
		q.Of = q.Of[:len(q.Of)-1]
	}
	return q
}

// hits asks, and has an entry for each aim of the question: nil where it was not asked.
func (i *Investigation) hits(ctx context.Context, q evidence.Bystanders) ([]*evidence.Hit, evidence.Answer, error) {
	answer, err := i.ask(ctx, q)
	if err != nil {
		return nil, answer, err
	}
	all, err := evidence.ReadBystanders(answer.Rows, q)
	for _, h := range all {
		if h != nil {
			h.Partial = len(answer.Lost) > 0
		}
	}
	return all, answer, err
}

func known(hits []*evidence.Hit) (all []evidence.Hit) {
	for _, h := range hits {
		if h != nil {
			all = append(all, *h)
		}
	}
	return all
}

// askBystanders asks whom steps would hit in several cases, with as few questions as there can be.
func (i *Investigation) askBystanders(ctx context.Context, cases []Case) map[string]evidence.Answered {
	cases = aiming(cases)
	for n, c := range cases {
		cases[n].Aims = fitting(evidence.Bystanders{Of: c.Aims, Before: c.Alarm.From}).Of
	}
	slices.SortStableFunc(cases, func(x, y Case) int { return x.Alarm.From.Compare(y.Alarm.From) })
	var groups [][]Case
	var questions []evidence.Bystanders
	for len(cases) > 0 {
		q, n := evidence.Bystanders{Before: cases[0].Alarm.From.Add(-evidence.Edge)}, 0
		for _, c := range cases {
			more := evidence.Bystanders{Before: q.Before, Of: slices.Concat(q.Of, c.Aims)}
			if n > 0 && (c.Alarm.From.Sub(cases[0].Alarm.From) > UsageSpread || !more.Fits()) {
				break
			}
			q, n = more, n+1
		}
		groups, questions, cases = append(groups, cases[:n]), append(questions, q), cases[n:]
	}
	all := make([]map[string]evidence.Answered, len(questions))
	i.workers.AtMost(querySlots).Each(len(questions), func(n int) {
		hits, answer, err := i.hits(ctx, questions[n])
		answer.Scanned /= int64(len(groups[n])) // each bears its part
		all[n] = map[string]evidence.Answered{}
		for _, c := range groups[n] {
			var of []*evidence.Hit
			if err == nil {
				of, hits = hits[:len(c.Aims)], hits[len(c.Aims):]
			}
			all[n][c.ID] = evidence.Answered{Answer: answer, Hits: known(of), Err: err, Asked: true}
		}
	})
	answers := map[string]evidence.Answered{}
	for _, a := range all {
		maps.Copy(answers, a)
	}
	return answers
}

// aiming are the cases of which it is asked whom steps would hit.
func aiming(cases []Case) []Case {
	return slices.DeleteFunc(slices.Clone(cases), func(c Case) bool { return len(c.Aims) == 0 })
}
