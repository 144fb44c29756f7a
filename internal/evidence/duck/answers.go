package duck

import (
	"maps"
	"sync"

	"nightlatch/internal/evidence"
)

const (
	// maxKnown is how many rows of answers are kept, and maxKept how many of one: the largest are not asked for again.
	maxKnown, maxKept = 10_000, 2_000
)

// answers are those answers to statements since the last load. A responder asks again and again, as a trail may still grow; files do not.
type answers struct {
	mu    sync.Mutex
	known map[string][]evidence.Row
	rows  int
}

// asIs is the answer that is known, or else what ask says. The rows are the caller's own.
func (a *answers) asIs(statement string, ask func() ([]evidence.Row, error)) ([]evidence.Row, error) {
	a.mu.Lock()
	rows, is := a.known[statement]
	a.mu.Unlock()
	if is {
		return copied(rows), nil
	}
	rows, err := ask()
	if err != nil || len(rows) > maxKept {
		return rows, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rows += len(rows); a.known == nil || a.rows > maxKnown {
		a.known, a.rows = map[string][]evidence.Row{}, len(rows)
	}
	a.known[statement] = copied(rows)
	return rows, nil
}

func copied(rows []evidence.Row) []evidence.Row {
	var all []evidence.Row
	for _, r := range rows {
		all = append(all, maps.Clone(r))
	}
	return all
}

// forget forgets all answers.
func (a *answers) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known, a.rows = nil, 0
}
