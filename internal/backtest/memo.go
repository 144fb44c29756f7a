package backtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"nightlatch/internal/evidence"
	"nightlatch/internal/investigation"
)

// memo asks a trail that does not change, and each question once. The answers of one alarm serve every policy, until they are forgotten.
//
// What is usual for the readers of some buckets is asked once for all windows that begin within investigation.UsageSpread, as the responder
// itself does for incidents that are open at the same time.
type memo struct {
	trail evidence.Trail

	mu    sync.Mutex
	known map[string]evidence.Answer
	usual []usual
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

// forget drops what later alarms do not ask for. They come in time order, and each looks at some hours at most.
func (m *memo) forget(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.known)
	m.usual = slices.DeleteFunc(m.usual, func(u usual) bool { return now.Sub(u.Before) > investigation.UsageSpread })
}
