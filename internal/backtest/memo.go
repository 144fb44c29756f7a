package backtest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"nightlatch/internal/evidence"
	"nightlatch/internal/investigation"
)

// memo asks a trail that does not change, and each question once. The answers of one alarm serve every policy, until they are forgotten.
//
// What is usual for the readers of some buckets, and who works with their credentials, is asked once for all windows of an alarm that begin within investigation.UsageSpread, as the
// responder itself does for incidents that are open at the same time.
type memo struct {
	trail evidence.Trail

	mu    sync.Mutex
	known map[string]evidence.Answer
	usual []usual
	using []using
	// failed is why a question of this alarm was not answered. The responder copes with that, and tells the team; a backtest must not take it for an
	// answer.
	failed error
}

// patient waits for an answer as long as the backtest goes on: how long a team can wait at midnight says nothing of a month on a laptop.
type patient struct {
	trail evidence.Trail
	ctx   context.Context
}

// Ask implements evidence.Trail.
func (p patient) Ask(_ context.Context, q evidence.Question) (evidence.Answer, error) {
	return p.trail.Ask(p.ctx, q)
}

// usual is an answer to a Usage question.
type usual struct {
	evidence.Usage
	answer evidence.Answer
}

// using is an answer to a Callers question.
type using struct {
	evidence.Callers
	answer evidence.Answer
}

// Ask implements evidence.Trail.
func (m *memo) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	usage, isUsage := q.(evidence.Usage)
	for _, u := range m.usual {
		if isUsage && shares(usage.Before, u.Before) && slices.Equal(usage.Buckets, u.Buckets) {
			return u.answer, nil
		}
	}
	callers, isCallers := q.(evidence.Callers)
	for _, u := range m.using {
		if isCallers && shares(callers.Before, u.Before) && slices.Equal(callers.Buckets, u.Buckets) && slices.Equal(callers.Credentials, u.Credentials) {
			return u.answer, nil
		}
	}
	text := q.SQL(evidence.Schema{Table: "trail"})
	if answer, ok := m.known[text]; ok {
		return answer, nil
	}
	answer, err := m.trail.Ask(ctx, q)
	switch {
	case err != nil:
		m.failed = cmp.Or(m.failed, err)
	case isUsage:
		m.usual = append(m.usual, usual{usage, answer})
	case isCallers:
		m.using = append(m.using, using{callers, answer})
	default:
		if m.known == nil {
			m.known = map[string]evidence.Answer{}
		}
		m.known[text] = answer
	}
	return answer, err
}

// shares reports whether a question for a time has its answer in that for an earlier one.
func shares(before, earlier time.Time) bool {
	after := before.Sub(earlier)
	return after >= 0 && after <= investigation.UsageSpread
}

// forget drops all answers. What is decided about an alarm must not hang on which alarms were answered before it.
func (m *memo) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known, m.usual, m.using = nil, nil, nil
}

// err is why a question was not answered.
func (m *memo) err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}
