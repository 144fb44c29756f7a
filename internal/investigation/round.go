package investigation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
)

// Case is what a query round needs to know of one incident.
type Case struct {
	ID    string
	Alarm alarm.Alarm
	// Engine is what has answered about it so far; "" where nothing has.
	Engine string
	// UsageDue says that what is usual is not known yet, and is asked too; CallersDue says it of who works with the credentials.
	UsageDue, CallersDue bool
	// Aims are what it is asked of whom steps would hit there beside the thief; none where that is not due.
	Aims []evidence.Aim
	// HistoryOf are the buckets that the question for what is usual was about when it was answered before.
	HistoryOf []string
}

// Round asks the trail about several incidents, and returns what it found by their ids. It asks one bytes question for all of them, and what is
// usual, who else works with the credentials, and whom steps would hit, where that is due. All at once: CloudTrail's lag hides the cost of the
// others.
func (i *Investigation) Round(ctx context.Context, cases []Case) map[string]evidence.Round {
	strange := slices.DeleteFunc(slices.Clone(cases), func(c Case) bool { return !c.UsageDue })
	unknown := slices.DeleteFunc(slices.Clone(cases), func(c Case) bool { return !c.CallersDue })
	answers, questions := make([]map[string]evidence.Answered, 4), 3
	if len(aiming(cases)) > 0 {
		questions++
	}
	i.workers.Each(questions, func(n int) {
		switch n {
		case 0:
			answers[n] = i.askBytes(ctx, cases)
		case 1:
			answers[n] = i.askShared(ctx, i.ask, strange, usage)
		case 2:
			answers[n] = i.askShared(ctx, i.ask, unknown, callers)
		default:
			answers[n] = i.askBystanders(ctx, cases)
		}
	})
	if stale := stale(cases, answers[0]); len(stale) > 0 {
		maps.Copy(answers[1], i.askShared(ctx, i.second.Ask, stale, usage))
	}
	all := map[string]evidence.Round{}
	for _, c := range cases {
		all[c.ID] = evidence.Round{Bytes: answers[0][c.ID], Usage: answers[1][c.ID], Callers: answers[2][c.ID], Bystanders: answers[3][c.ID]}
	}
	return all
}

// asking asks one question.
type asking func(context.Context, evidence.Question) (evidence.Answer, error)

// askWindows asks who moved the bytes of several cases, with as few questions as there can be.
func (i *Investigation) askWindows(ctx context.Context, ask asking, cases []Case) map[string]evidence.Answered {
	var windows []evidence.Window
	for _, c := range cases {
		windows = append(windows, evidence.Window{ID: c.ID, Buckets: c.Alarm.Buckets, From: c.Alarm.From, To: c.Alarm.To})
	}
	questions := evidence.Bytes{Windows: windows, Margin: alarm.Margin}.Batches()
	got := make([]map[string]evidence.Answered, len(questions))
	i.workers.AtMost(querySlots).Each(len(questions), func(n int) { got[n] = i.askOne(ctx, ask, questions[n]) })
	all := map[string]evidence.Answered{}
	for _, answers := range got {
		maps.Copy(all, answers)
	}
	return all
}

// askOne asks one bytes question. Where it fails for a reason that may lie in one of its windows, its halves are asked. A thief with
// thousands of networks at one bucket must not spoil the answer about another.
func (i *Investigation) askOne(ctx context.Context, ask asking, q evidence.Bytes) map[string]evidence.Answered {
	answer, err := ask(ctx, q)
	var tallies map[string]evidence.Tally
	if err == nil {
		tallies, err = evidence.ReadBytes(answer.Rows, q, i.ours)
	}
	n := len(q.Windows)
	if err != nil && n > 1 && ctx.Err() == nil && !errors.Is(err, evidence.ErrBusy) && !errors.Is(err, evidence.ErrBudget) {
		halves := i.askOne(ctx, ask, evidence.Bytes{Windows: q.Windows[:n/2], Margin: q.Margin})
		maps.Copy(halves, i.askOne(ctx, ask, evidence.Bytes{Windows: q.Windows[n/2:], Margin: q.Margin}))
		return halves
	}
	answer.Scanned /= int64(n) // each bears its part, and has waited as long as all
	all := map[string]evidence.Answered{}
	for _, w := range q.Windows {
		all[w.ID] = evidence.Answered{Answer: answer, Tally: tallies[w.ID], Err: err, Asked: true}
	}
	return all
}

// querySlots is how many of Lake's ten query slots one kind of question takes, in a storm of alarms: others ask too.
const querySlots = 3

// UsageSpread is the time within which windows have to begin for their incidents to share a question for what is usual.
const UsageSpread = time.Hour

// shared is a question about what was before the windows of several cases, on their buckets.
type shared interface {
	evidence.Question
	Fits() bool
}

func usage(buckets []string, before time.Time) shared {
	return evidence.Usage{Buckets: buckets, Before: before}
}

func callers(buckets []string, before time.Time) shared {
	return evidence.Callers{Buckets: buckets, Before: before}
}

// askShared asks what was before the windows of the cases, with as few questions as there can be. A case that is asked about again is asked about at
// least as many buckets: what its callers took from the others was usual then, and a verdict was reached on it.
func (i *Investigation) askShared(ctx context.Context, ask asking, cases []Case, question func([]string, time.Time) shared) map[string]evidence.Answered {
	cases = slices.SortedStableFunc(slices.Values(cases), func(x, y Case) int { return x.Alarm.From.Compare(y.Alarm.From) })
	var groups [][]Case
	var questions []shared
	var asked [][]string
	for len(cases) > 0 {
		before, buckets, n := cases[0].Alarm.From.Add(-evidence.Edge), []string{}, 0
		for _, c := range cases {
			union := slices.Compact(slices.Sorted(slices.Values(slices.Concat(buckets, c.Alarm.Buckets, c.HistoryOf))))
			if n == 0 && !question(union, before).Fits() {
				union = slices.Compact(slices.Sorted(slices.Values(c.Alarm.Buckets)))
			}
			if n > 0 && (c.Alarm.From.Sub(cases[0].Alarm.From) > UsageSpread || !question(union, before).Fits()) {
				break
			}
			buckets, n = union, n+1
		}
		groups, questions, cases = append(groups, cases[:n]), append(questions, question(buckets, before)), cases[n:]
		asked = append(asked, buckets)
	}
	got := make([]evidence.Answered, len(questions))
	i.workers.AtMost(querySlots).Each(len(questions), func(n int) {
		answer, err := ask(ctx, questions[n])
		answer.Scanned /= int64(len(groups[n])) // each bears its part
		got[n] = evidence.Answered{Answer: answer, Err: err, Asked: true, Of: asked[n]}
	})
	all := map[string]evidence.Answered{}
	for n, group := range groups {
		for _, c := range group {
			all[c.ID] = got[n]
		}
	}
	return all
}
