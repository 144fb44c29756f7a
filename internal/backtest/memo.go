package backtest

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"nightlatch/internal/evidence"
	"nightlatch/internal/investigation"
)

// memo asks a trail that does not change, and each question once. The answers of one alarm serve every policy, until they are forgotten.
//
// What is usual for the readers of some buckets is asked once for all windows of an alarm that begin within investigation.UsageSpread, as the
// responder itself does for incidents that are open at the same time.
type memo struct {
	trail evidence.Trail

	mu    sync.Mutex
	known map[string]evidence.Answer
	usual []usual
	// failed is why a question of this alarm was not answered. The responder copes with that, and tells the team; a backtest must not take it for an
	// answer.
	failed error
}

// usual is an answer to a Usage question.
type usual struct {
	evidence.Usage
	answer evidence.Answer
}

// Ask implements evidence.Trail.
func (m *memo) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	usage, isUsage := q.(evidence.Usage)
	for _, u := range m.usual {
		if after := usage.Before.Sub(u.Before); isUsage && after >= 0 && after <= investigation.UsageSpread && slices.Equal(usage.Buckets, u.Buckets) {
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
	default:
		if m.known == nil {
			m.known = map[string]evidence.Answer{}
		}
		m.known[text] = answer
	}
	return answer, err
}

// forget drops all answers. What is decided about an alarm must not hang on which alarms were answered before it.
func (m *memo) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known, m.usual = nil, nil
}

// err is why a question was not answered.
func (m *memo) err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}
